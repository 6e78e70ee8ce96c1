/* folder_name.c - how the folder of a new report is called (see host.h). */
#include "host/host.h"
#include "publish/slug.h"

int host_folder_name(struct slice title, struct buf *out)
{
    return slug_make(title, out);
}

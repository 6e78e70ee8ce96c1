/*
 * rapport/version.h - the version of program and libraries, in one place: `rapport version`, the
 * pkg-config files and the daemon's answers take it from here.
 */
#ifndef RAPPORT_VERSION_H
#define RAPPORT_VERSION_H

#define RAPPORT_VERSION "0.1.0"

#endif

/*
 * firewall.h - hints whether a firewall on this machine keeps friends out, from files that anybody
 * may read: ufw, firewalld, nftables. Nothing is run, least of all as root; what only root can read
 * is said to be unknown.
 *
 * One open side is enough for two friends, so a closed port is a problem only where somebody cannot
 * be reached.
 */
#ifndef DAEMON_FIREWALL_H
#define DAEMON_FIREWALL_H

#include "net/finding.h"

/* Adds findings of the area "firewall" about TCP port `port`. `root` stands before every path: ""
   for this machine. `blamed`: somebody cannot be reached, so a closed port is a problem. */
void firewall_findings(const char *root, uint16_t port, bool blamed, struct findings *f);

#endif

/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What tc offers to its plugins, as far as q_reframer.c uses it.
 *
 * No distribution ships the headers of tc, so the declarations are repeated
 * here.  The binary interface is the same in every iproute2 from 5.10 to 7.x.
 */
#ifndef _TC_PLUGIN_H
#define _TC_PLUGIN_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdnoreturn.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>

struct qdisc_util {
	struct qdisc_util *next;
	const char *id;
	int (*parse_qopt)(struct qdisc_util *qu, int argc, char **argv,
			  struct nlmsghdr *n, const char *dev);
	int (*print_qopt)(struct qdisc_util *qu, FILE *f, struct rtattr *opt);
	int (*print_xstats)(struct qdisc_util *qu, FILE *f,
			    struct rtattr *xstats);
	int (*parse_copt)(struct qdisc_util *qu, int argc, char **argv,
			  struct nlmsghdr *n, const char *dev);
	int (*print_copt)(struct qdisc_util *qu, FILE *f, struct rtattr *opt);
	int (*has_block)(struct qdisc_util *qu, struct rtattr *opt,
			 __u32 block_idx, bool *p_has);
};

/* tc looks it up by this name and links it into a list: never const */
extern struct qdisc_util reframer_qdisc_util;

/* the command line; a number is 0 on success, -1 if it is none */
int get_u32(__u32 *val, const char *arg, int base);
int get_time64(__s64 *time, const char *arg);
int get_size(unsigned int *size, const char *arg);
noreturn void duparg(const char *key, const char *arg);
noreturn void incomplete_command(void);

/* netlink */
int addattr32(struct nlmsghdr *n, int maxlen, int type, __u32 data);
struct rtattr *addattr_nest(struct nlmsghdr *n, int maxlen, int type);
int addattr_nest_end(struct nlmsghdr *n, struct rtattr *nest);
int parse_rtattr_flags(struct rtattr *tb[], int max, struct rtattr *rta,
		       int len, unsigned short flags);

/*
 * Output.  The first argument of the typed functions says for which output
 * they are meant, the second one is a colour of the text; a key of NULL means
 * an element of an array.
 */
#define PRINT_JSON	2

bool is_json_context(void);
void open_json_object(const char *key);
void close_json_object(void);
void open_json_array(int type, const char *key);
void close_json_array(int type, const char *text);
int print_color_u64(int type, int color, const char *key, const char *fmt,
		    uint64_t value);
int print_color_bool(int type, int color, const char *key, const char *fmt,
		     bool value);
int print_color_string(int type, int color, const char *key, const char *fmt,
		       const char *value);
int print_color_float(int type, int color, const char *key, const char *fmt,
		      double value);
void print_nl(void);			/* heeds tc -oneline */

#define SPRINT_BSIZE	64

char *sprint_time64(__s64 time, char *buf);	/* three digits */

#endif

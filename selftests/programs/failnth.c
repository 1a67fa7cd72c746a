// SPDX-License-Identifier: GPL-2.0
/*
 * failnth: let one allocation of the kernel fail within one request, or all from
 * that one on
 *
 * To be loaded into tc or ip (LD_PRELOAD), where it replaces sendmsg().  The start of
 * a program makes the kernel allocate a lot; this limits the failures to the first
 * netlink request that changes something.
 *
 * FAIL_NTH    which allocation fails, from 1
 * FAIL_MORE   1: also all that follow, as failslab and fail_page_alloc in debugfs are
 *             configured for tasks that their task-filter selects
 *
 * Prints "failed" on standard output if there were that many allocations.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

static int open_proc(const char *name)
{
	int fd = open(name, O_RDWR);

	if (fd < 0) {
		perror(name);
		exit(3);
	}
	return fd;
}

static void set(int fd, const char *value)
{
	if (pwrite(fd, value, strlen(value), 0) < 0) {
		perror("failnth");
		exit(3);
	}
}

/* RTM_NEW, DEL, GET and SET are four types in a row; the third only reads. */
static bool is_change(const struct msghdr *msg)
{
	const struct nlmsghdr *nlh = msg->msg_iov[0].iov_base;

	return nlh->nlmsg_type >= NLMSG_MIN_TYPE && (nlh->nlmsg_type & 3) != 2;
}

ssize_t sendmsg(int fd, const struct msghdr *msg, int flags)
{
	const char *nth = getenv("FAIL_NTH");
	int nth_fd, more_fd, err;
	char left[16] = "";
	ssize_t ret;

	if (!nth || !is_change(msg))
		return syscall(SYS_sendmsg, fd, msg, flags);

	nth_fd = open_proc("/proc/thread-self/fail-nth");
	more_fd = open_proc("/proc/self/make-it-fail");
	set(nth_fd, nth);	/* until then, nothing else fails */
	set(more_fd, getenv("FAIL_MORE") ?: "0");
	ret = syscall(SYS_sendmsg, fd, msg, flags);
	err = errno;
	set(more_fd, "0");
	if (pread(nth_fd, left, sizeof(left) - 1, 0) > 0 && !atoi(left))
		puts("failed");
	set(nth_fd, "0");
	close(nth_fd);
	close(more_fd);
	unsetenv("FAIL_NTH");
	errno = err;
	return ret;
}

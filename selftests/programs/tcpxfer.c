// SPDX-License-Identifier: GPL-2.0
/*
 * Move bytes over one TCP connection and check every one of them at the other
 * end: byte I of the stream is a function of I.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static const char usage[] =
"usage: tcpxfer recv PORT [READYFILE]    receive one connection and check it\n"
"       tcpxfer send ADDRESS PORT BYTES  send so many bytes\n"
"Both print one JSON object: bytes, and recv also wrong (bytes).\n";

static unsigned char buf[256 << 10];

static void die(const char *what)
{
	fprintf(stderr, "tcpxfer: %s: %s\n", what, strerror(errno));
	exit(1);
}

static unsigned char byte_at(uint64_t i)
{
	return i * 2654435761u >> 13 ^ i >> 21;
}

static void receive(int port, const char *ready)
{
	struct sockaddr_in sa = { .sin_family = AF_INET,
				  .sin_port = htons(port) };
	int one = 1, fd, conn, r;
	uint64_t bytes = 0, wrong = 0;
	ssize_t n, i;

	fd = socket(AF_INET, SOCK_STREAM, 0);
	if (fd < 0)
		die("socket");
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(fd, (struct sockaddr *)&sa, sizeof(sa)) || listen(fd, 1))
		die("bind");
	if (ready) {
		r = open(ready, O_CREAT | O_WRONLY, 0600);
		if (r < 0)
			die(ready);
		close(r);
	}
	conn = accept(fd, NULL, NULL);
	if (conn < 0)
		die("accept");
	while ((n = read(conn, buf, sizeof(buf))) > 0) {
		for (i = 0; i < n; i++)
			wrong += buf[i] != byte_at(bytes + i);
		bytes += n;
	}
	if (n < 0)
		die("read");
	printf("{\"bytes\":%llu,\"wrong\":%llu}\n", (unsigned long long)bytes,
	       (unsigned long long)wrong);
}

static void transmit(const char *addr, int port, uint64_t total)
{
	struct sockaddr_in sa = { .sin_family = AF_INET,
				  .sin_port = htons(port) };
	uint64_t bytes = 0;
	ssize_t n, i;
	int fd;

	if (inet_pton(AF_INET, addr, &sa.sin_addr) != 1)
		die(addr);
	fd = socket(AF_INET, SOCK_STREAM, 0);
	if (fd < 0)
		die("socket");
	if (connect(fd, (struct sockaddr *)&sa, sizeof(sa)))
		die("connect");
	while (bytes < total) {
		n = total - bytes < sizeof(buf) ? total - bytes : sizeof(buf);
		for (i = 0; i < n; i++)
			buf[i] = byte_at(bytes + i);
		n = write(fd, buf, n);
		if (n < 0)
			die("write");
		bytes += n;
	}
	/* Wait for the other end to have read all. */
	shutdown(fd, SHUT_WR);
	if (read(fd, buf, 1) < 0)
		die("read");
	printf("{\"bytes\":%llu}\n", (unsigned long long)bytes);
}

int main(int argc, char **argv)
{
	if (argc >= 3 && argc <= 4 && !strcmp(argv[1], "recv")) {
		receive(atoi(argv[2]), argv[3]);
	} else if (argc == 5 && !strcmp(argv[1], "send")) {
		transmit(argv[2], atoi(argv[3]), strtoull(argv[4], NULL, 0));
	} else {
		fputs(usage, stderr);
		return 1;
	}
	return 0;
}

// SPDX-License-Identifier: GPL-2.0
/*
 * A plugin for QEMU's emulator, for scripts/bench.d/profile: counts the instructions of
 * each translated block and writes "ADDRESS COUNT" lines to the file "out".
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "qemu-plugin.h"

__attribute__((visibility("default"))) int qemu_plugin_version = 1;

/* A block that is translated again gets a new counter. */
static struct block {
	struct block *next;
	uint64_t address;
	uint64_t count;
} *blocks;

static const char *out;

static void translated(qemu_plugin_id_t id, struct qemu_plugin_tb *tb)
{
	struct block *b = calloc(1, sizeof(*b));

	if (!b)
		abort();
	b->address = qemu_plugin_tb_vaddr(tb);
	b->next = blocks;
	blocks = b;
	qemu_plugin_register_vcpu_tb_exec_inline(tb, QEMU_PLUGIN_INLINE_ADD_U64,
						 &b->count,
						 qemu_plugin_tb_n_insns(tb));
}

static void end(qemu_plugin_id_t id, void *p)
{
	FILE *f = fopen(out, "w");
	struct block *b;

	if (!f)
		abort();
	for (b = blocks; b; b = b->next)
		fprintf(f, "%016" PRIx64 " %" PRIu64 "\n", b->address, b->count);
	if (fclose(f))
		abort();
}

__attribute__((visibility("default")))
int qemu_plugin_install(qemu_plugin_id_t id, const void *info, int argc,
			char **argv)
{
	if (argc != 1 || strncmp(argv[0], "out=", 4)) {
		fputs("profile-plugin: out=FILE\n", stderr);
		return -1;
	}
	out = strdup(argv[0] + 4);
	qemu_plugin_register_vcpu_tb_trans_cb(id, translated);
	qemu_plugin_register_atexit_cb(id, end, NULL);
	return 0;
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "allocator.h"
#include "tree.h"

#include "config/config.h"

#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MAIN "/etc/hibernate.conf"
#define HEAD "[Hibernate]\n"

static const char *value_of(const struct config *c, enum config_key key)
{
	static char text[CONFIG_VALUE_MAX];

	return config_format_key(c, key, text, sizeof(text));
}

static const char *origin_of(const struct config *c, enum config_key key)
{
	static char text[CONFIG_PATH_MAX + 16];

	return config_format_origin(c, key, text, sizeof(text));
}

/* Load a tree whose only file is MAIN with @text. */
static int load_text(struct config *c, const char *text, struct failure *f)
{
	struct tree tree;
	int r;

	tree_init(&tree);
	tree_write(&tree, MAIN, text);
	r = config_load(c, &tree.sys, f);
	tree_deinit(&tree);
	return r;
}

static const struct {
	const char *key, *text, *formatted; /* NULL: as it was written */
} good_values[] = {
	{"ResumeDevice", "auto", NULL},
	{"ResumeDevice", "/dev/vda2", NULL},
	{"ResumeDevice", "UUID=0123-4567", NULL},
	{"ResumeDevice", "LABEL=a label with blanks # and = and ;", NULL},
	{"ResumeDevice", "PARTUUID=x", NULL},
	{"ResumeOffset", "auto", NULL},
	{"ResumeOffset", "0", NULL},
	{"ResumeOffset", "34816", NULL},
	{"ResumeOffset", "2251799813685247", NULL}, /* the last whose bytes fit off_t */
	{"ImageSize", "auto", NULL},
	{"ImageSize", "0", NULL},
	{"ImageSize", "1%", NULL},
	{"ImageSize", "100%", NULL},
	{"ImageSize", "1000", NULL},
	{"ImageSize", "1024", "1K"},
	{"ImageSize", "512M", NULL},
	{"ImageSize", "2048M", "2G"},
	{"ImageSize", "1T", NULL},
	{"ImageSize", "1024T", NULL},
	{"ImageSize", "16777215T", NULL},
	{"Compression", "lz4", NULL},
	{"Compression", "none", NULL},
	{"CompressionLevel", "auto", NULL},
	{"CompressionLevel", "1", NULL},
	{"Threads", "auto", NULL},
	{"Threads", "1", NULL},
	{"Threads", "64", NULL},
	{"ShutdownMode", "platform", NULL},
	{"ShutdownMode", "shutdown", NULL},
	{"ShutdownMode", "reboot", NULL},
	{"ResumeWait", "0", NULL},
	{"ResumeWait", "86400", NULL},
	{"ResumeWait", "infinity", NULL},
	{"ResumeFailure", "ask", NULL},
	{"ResumeFailure", "poweroff", NULL},
	{"ResumeFailure", "boot", NULL},
	{"Progress", "yes", NULL},
	{"Progress", "no", NULL},
	{"AbortKey", "none", NULL},
	{"AbortKey", "esc", NULL},
	{"AbortKey", "power", NULL},
	{"AbortKey", "esc power", NULL},
	{"AbortKey", "power  \t esc", "esc power"},
	{"ConsoleLogLevel", "keep", NULL},
	{"ConsoleLogLevel", "0", NULL},
	{"ConsoleLogLevel", "7", NULL},
	{"Sealing", "off", NULL},
	{"Sealing", "required", NULL},
	{"KeyDirectory", "/etc/keys", NULL},
	{"TPMKeySet", "none", NULL},
};

START_TEST(good_values_come_back)
{
	const char *expected = good_values[_i].formatted ? good_values[_i].formatted : good_values[_i].text;
	enum config_key key = config_key_from_name(good_values[_i].key);
	struct failure f = {0};
	struct config c;
	char text[512];
	int r;

	snprintf(text, sizeof(text), HEAD "%s=%s\n", good_values[_i].key, good_values[_i].text);
	r = load_text(&c, text, &f);
	ck_assert_msg(r == 0, "%s: %s", text, f.text);
	ck_assert_str_eq(value_of(&c, key), expected);
	ck_assert_str_eq(origin_of(&c, key), MAIN ":2");
	for (int other = 0; other < _CONFIG_KEY_MAX; other++)
		if (other != (int)key)
			ck_assert_str_eq(origin_of(&c, other), "default");
}
END_TEST

static const struct {
	const char *key, *text;
} bad_values[] = {
	{"ResumeDevice", ""},        {"ResumeDevice", "vda2"},   {"ResumeDevice", "/"},
	{"ResumeDevice", "UUID="},   {"ResumeDevice", "uuid=1"}, {"ResumeDevice", "Auto"},
	{"ResumeOffset", "-1"},      {"ResumeOffset", "1K"},     {"ResumeOffset", "2251799813685248"},
	{"ResumeOffset", "0x10"},    {"ImageSize", ""},          {"ImageSize", "0%"},
	{"ImageSize", "101%"},       {"ImageSize", "5%%"},       {"ImageSize", "1KB"},
	{"ImageSize", "1k"},         {"ImageSize", "K"},         {"ImageSize", "1.5G"},
	{"ImageSize", "+1"},         {"ImageSize", "1 G"},       {"ImageSize", "16777216T"},
	{"ImageSize", "18446744073709551616"},                   {"Compression", "LZ4"},
	{"Compression", ""},         {"Compression", "gzip"},    {"CompressionLevel", "high"},
	{"CompressionLevel", "-"},   {"CompressionLevel", "9999999"}, {"Threads", "0"},
	{"Threads", "65"},           {"Threads", "-1"},          {"Threads", "4 4"},
	{"ShutdownMode", "poweroff"}, {"ResumeWait", "86401"},   {"ResumeWait", "30s"},
	{"ResumeWait", "-1"},        {"ResumeFailure", "panic"}, {"Progress", "true"},
	{"Progress", "y"},           {"AbortKey", ""},           {"AbortKey", "esc esc"},
	{"AbortKey", "both"},        {"AbortKey", "esc none"},   {"AbortKey", "esc,power"},
	{"ConsoleLogLevel", "8"},    {"ConsoleLogLevel", "-1"},  {"Sealing", "yes"},
	{"Sealing", ""},             {"KeyDirectory", "keys"},   {"KeyDirectory", "/"},
	{"TPMKeySet", ""},           {"TPMKeySet", "no"},        {"TPMKeySet", "0123456789abcdef0123456789abcde"},
	{"TPMKeySet", "0123456789ABCDEF0123456789abcdef"},       {"TPMKeySet", "0123456789abcdef0123456789abcdef0"},
	{"TPMKeySet", "0123456789abcdef0123456789abcdeg"},
};

START_TEST(bad_values_name_line_and_what_is_allowed)
{
	enum config_key key = config_key_from_name(bad_values[_i].key);
	struct config c, untouched;
	struct failure f = {0};
	char text[512];

	memset(&c, 0x5a, sizeof(c));
	untouched = c;
	snprintf(text, sizeof(text), "# a comment\n\n" HEAD "  %s = %s\n", bad_values[_i].key, bad_values[_i].text);
	ck_assert_int_eq(load_text(&c, text, &f), -EINVAL);
	ck_assert_int_eq(f.reason, REASON_CONFIG);
	ck_assert_str_eq(f.object, MAIN ":4");
	ck_assert_ptr_nonnull(strstr(f.text, bad_values[_i].key));
	if (key != CONFIG_COMPRESSION_LEVEL)
		ck_assert_ptr_nonnull(strstr(f.remedy, config_key_allowed(key)));
	ck_assert_ptr_nonnull(strstr(f.remedy, "Allowed"));
	ck_assert_mem_eq(&c, &untouched, sizeof(c));
}
END_TEST

/* One file, what is wrong with it and in which line. A NUL in the text is written as @. */
static const struct {
	const char *text, *object, *complaint, *remedy;
} bad_files[] = {
	{HEAD "Imagesize=1\n", MAIN ":2", "unknown key 'Imagesize'", "ResumeDevice, ResumeOffset, ImageSize,"},
	{HEAD "Threads=1\nProgress=no\nThreads=1\n", MAIN ":4", "Threads was given in line 2 already", "Keep one"},
	{HEAD "Threads=1\n" HEAD "Threads=2\n", MAIN ":4", "Threads was given in line 2 already", "Keep one"},
	{"Threads=1\n", MAIN ":1", "'Threads' stands before any section", "[Hibernate]"},
	{"[Sleep]\nThreads=1\n", MAIN ":1", "unknown section [Sleep]", "Allowed: [Hibernate]"},
	{"[hibernate]\n", MAIN ":1", "unknown section [hibernate]", "Allowed: [Hibernate]"},
	{"[Hibernate\n", MAIN ":1", "'[Hibernate' is not a section", "Write [Section]"},
	{"[Hibernate] # x\n", MAIN ":1", "is not a section", "Write [Section]"},
	{"[]\n", MAIN ":1", "'[]' is not a section", "Write [Section]"},
	{HEAD "\n\njunk\n", MAIN ":4", "'junk' is not a setting", "Key=Value"},
	{HEAD "=1\n", MAIN ":2", "'=1' is not a setting", "Key=Value"},
	{HEAD "Threads=1 # one\n", MAIN ":2", "Threads=1 # one makes no sense", "auto, or 1 to 64"},
	{HEAD "Threads=\"1\"\n", MAIN ":2", "makes no sense", "auto, or 1 to 64"},
	{HEAD "Threads=\\\n1\n", MAIN ":2", "makes no sense", "auto, or 1 to 64"},
	{HEAD "Threads=1\r\n", MAIN ":2", "byte 0x0d at column 10", "Unix line ends"},
	{HEAD "Threads=1@\n", MAIN ":2", "byte 0x00 at column 10", "plain text"},
	{HEAD "# \x7f\n", MAIN ":2", "byte 0x7f at column 3", "plain text"},
	{"\x7f" "ELF\x02\x01\x01@@@", MAIN ":1", "byte 0x7f at column 1", "plain text"},
	{"\xef\xbb\xbf" HEAD, MAIN ":1", "is not a setting", "Key=Value"},
	{HEAD "Compression=none\nCompressionLevel=3\n", MAIN ":3", "CompressionLevel=3", "Compression=none"},
	{HEAD "CompressionLevel=3\nCompression=none\n", MAIN ":2", "CompressionLevel=3", "Compression=none"},
};

START_TEST(bad_files_name_line_and_complaint)
{
	const char *text = bad_files[_i].text;
	size_t size = strlen(text);
	struct failure f = {0};
	struct tree tree;
	struct config c;
	char bytes[256];
	int r;

	for (size_t i = 0; i < size; i++)
		bytes[i] = text[i] == '@' ? '\0' : text[i];
	tree_init(&tree);
	tree_write_bytes(&tree, MAIN, bytes, size);
	r = config_load(&c, &tree.sys, &f);
	tree_deinit(&tree);
	ck_assert_int_eq(r, -EINVAL);
	ck_assert_int_eq(f.reason, REASON_CONFIG);
	ck_assert_str_eq(f.object, bad_files[_i].object);
	ck_assert_msg(strstr(f.text, bad_files[_i].complaint), "'%s' lacks '%s'", f.text, bad_files[_i].complaint);
	ck_assert_msg(strstr(f.remedy, bad_files[_i].remedy), "'%s' lacks '%s'", f.remedy, bad_files[_i].remedy);
}
END_TEST

START_TEST(nothing_at_all_means_defaults)
{
	static const char *const defaults[] = {
		[CONFIG_RESUME_DEVICE] = "auto",   [CONFIG_RESUME_OFFSET] = "auto",
		[CONFIG_IMAGE_SIZE] = "auto",      [CONFIG_COMPRESSION] = "lz4",
		[CONFIG_COMPRESSION_LEVEL] = "auto", [CONFIG_THREADS] = "auto",
		[CONFIG_SHUTDOWN_MODE] = "platform", [CONFIG_RESUME_WAIT] = "30",
		[CONFIG_RESUME_FAILURE] = "ask",   [CONFIG_PROGRESS] = "yes",
		[CONFIG_ABORT_KEY] = "esc power",  [CONFIG_CONSOLE_LOG_LEVEL] = "keep",
		[CONFIG_SEALING] = "off",          [CONFIG_KEY_DIRECTORY] = "/etc/hibernate/keys",
		[CONFIG_TPM_KEY_SET] = "none",
	};
	struct failure f = {0};
	struct tree tree;
	struct config c;

	tree_init(&tree);
	ck_assert_int_eq(config_load(&c, &tree.sys, &f), 0);
	tree_deinit(&tree);
	ck_assert_uint_eq(ARRAY_LENGTH(defaults), _CONFIG_KEY_MAX);
	for (int key = 0; key < _CONFIG_KEY_MAX; key++) {
		ck_assert_str_eq(value_of(&c, key), defaults[key]);
		ck_assert_str_eq(origin_of(&c, key), "default");
	}
	ck_assert_uint_eq(c.resume_offset, UINT64_MAX);
	ck_assert_uint_eq(c.resume_wait_usec, 30000000);
	ck_assert_int_eq(c.console_log_level, -1);
	ck_assert(c.image_size.automatic && c.abort_esc && c.abort_power && c.progress);
}
END_TEST

START_TEST(values_have_their_units)
{
	struct failure f = {0};
	struct config c;

	ck_assert_int_eq(load_text(&c, HEAD "ImageSize=3G\nResumeOffset=5\nResumeWait=infinity\nAbortKey=power\n", &f), 0);
	ck_assert_uint_eq(c.image_size.bytes, 3 * GIB);
	ck_assert(!c.image_size.automatic && !c.image_size.percent);
	ck_assert_uint_eq(c.resume_offset, 5 * 4096);
	ck_assert_uint_eq(c.resume_wait_usec, CONFIG_FOREVER);
	ck_assert_uint_gt(c.resume_wait_usec + UINT64_MAX / 4, c.resume_wait_usec);
	ck_assert(!c.abort_esc && c.abort_power);
	ck_assert_int_eq(load_text(&c, HEAD "ImageSize=40%\n", &f), 0);
	ck_assert_uint_eq(c.image_size.percent, 40);
}
END_TEST

START_TEST(threads_are_bounded)
{
	struct config c;

	config_init(&c);
	ck_assert_uint_ge(config_thread_count(&c), 1);
	ck_assert_uint_le(config_thread_count(&c), MIN(CONFIG_THREADS_MAX, sysconf(_SC_NPROCESSORS_ONLN)));
	c.threads = 5;
	ck_assert_uint_eq(config_thread_count(&c), 5);
}
END_TEST

START_TEST(a_named_key_set_needs_sealing)
{
	static const char name[] = "TPMKeySet=0123456789abcdef0123456789abcdef\n";
	const uint8_t id[] = {0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef};
	struct failure f = {0};
	struct config c;
	char text[256];

	snprintf(text, sizeof(text), HEAD "%sSealing=required\n", name);
	ck_assert_int_eq(load_text(&c, text, &f), 0);
	ck_assert(c.tpm);
	ck_assert_mem_eq(c.tpm_key_set, id, sizeof(id));
	ck_assert_mem_eq(c.tpm_key_set + sizeof(id), id, sizeof(id));
	ck_assert_str_eq(value_of(&c, CONFIG_TPM_KEY_SET), "0123456789abcdef0123456789abcdef");
	snprintf(text, sizeof(text), HEAD "Threads=1\n%s", name);
	ck_assert_int_eq(load_text(&c, text, &f), -EINVAL);
	ck_assert_int_eq(f.reason, REASON_CONFIG);
	ck_assert_str_eq(f.object, MAIN ":3");
	ck_assert_ptr_nonnull(strstr(f.remedy, "Sealing=required"));
}
END_TEST

START_TEST(text_forms_that_are_fine)
{
	struct failure f = {0};
	struct config c;

	ck_assert_int_eq(load_text(&c, "", &f), 0);
	ck_assert_int_eq(load_text(&c, HEAD, &f), 0);
	ck_assert_int_eq(load_text(&c, "; x\n\t # Gr\xc3\xb6\xc3\x9f" "e=1\n" HEAD HEAD "\tThreads\t=\t7 ", &f), 0);
	ck_assert_uint_eq(c.threads, 7);
}
END_TEST

START_TEST(main_file_is_the_first_found)
{
	static const char *const places[] = {"/usr/lib", "/usr/local/lib", "/run", "/etc"};
	struct failure f = {0};
	struct tree tree;
	struct config c;
	char path[64], text[64];

	tree_init(&tree);
	for (unsigned int i = 0; i < ARRAY_LENGTH(places); i++) {
		snprintf(path, sizeof(path), "%s/hibernate.conf", places[i]);
		snprintf(text, sizeof(text), HEAD "Threads=%u\n", i + 1);
		tree_write(&tree, path, text);
		ck_assert_int_eq(config_load(&c, &tree.sys, &f), 0);
		ck_assert_uint_eq(c.threads, i + 1);
	}
	/* The others are not even read. */
	tree_write(&tree, "/run/hibernate.conf", "junk");
	ck_assert_int_eq(config_load(&c, &tree.sys, &f), 0);
	/* An empty file masks them, too. */
	tree_write(&tree, MAIN, "");
	ck_assert_int_eq(config_load(&c, &tree.sys, &f), 0);
	ck_assert_uint_eq(c.threads, 0);
	tree_deinit(&tree);
}
END_TEST

START_TEST(dropins_in_order_of_names_and_masked_by_place)
{
	struct failure f = {0};
	struct tree tree;
	struct config c;

	tree_init(&tree);
	tree_write(&tree, MAIN, HEAD "Threads=1\nResumeWait=1\nConsoleLogLevel=1\n");
	tree_write(&tree, "/etc/hibernate.conf.d/20-b.conf", HEAD "Threads=2\n");
	tree_write(&tree, "/usr/lib/hibernate.conf.d/30-c.conf", HEAD "Threads=3\nResumeWait=3\n");
	tree_write(&tree, "/run/hibernate.conf.d/10-a.conf", HEAD "Threads=4\nConsoleLogLevel=4\n");
	ck_assert_int_eq(config_load(&c, &tree.sys, &f), 0);
	ck_assert_uint_eq(c.threads, 3);
	ck_assert_str_eq(origin_of(&c, CONFIG_THREADS), "/usr/lib/hibernate.conf.d/30-c.conf:2");
	ck_assert_uint_eq(c.resume_wait_usec, 3000000);
	ck_assert_int_eq(c.console_log_level, 4);

	/* The same name higher up masks the whole file, and keeps its turn. */
	tree_write(&tree, "/run/hibernate.conf.d/30-c.conf", HEAD "Threads=5\n");
	ck_assert_int_eq(config_load(&c, &tree.sys, &f), 0);
	ck_assert_uint_eq(c.threads, 5);
	ck_assert_uint_eq(c.resume_wait_usec, 1000000);
	tree_write(&tree, "/etc/hibernate.conf.d/30-c.conf", "");
	ck_assert_int_eq(config_load(&c, &tree.sys, &f), 0);
	ck_assert_uint_eq(c.threads, 2);

	/* A masked file is not read; other names are none of ours; what counts must be right. */
	tree_write(&tree, "/usr/lib/hibernate.conf.d/30-c.conf", "junk");
	tree_write(&tree, "/etc/hibernate.conf.d/README", "junk");
	tree_write(&tree, "/etc/hibernate.conf.d/.40-d.conf", "junk");
	tree_write(&tree, "/etc/hibernate.conf.d/.conf", "junk");
	ck_assert_int_eq(config_load(&c, &tree.sys, &f), 0);
	tree_write(&tree, "/usr/lib/hibernate.conf.d/40-d.conf", "\njunk");
	ck_assert_int_eq(config_load(&c, &tree.sys, &f), -EINVAL);
	ck_assert_str_eq(f.object, "/usr/lib/hibernate.conf.d/40-d.conf:2");
	tree_deinit(&tree);
}
END_TEST

START_TEST(a_key_may_come_again_in_another_file_only)
{
	struct failure f = {0};
	struct tree tree;
	struct config c;

	tree_init(&tree);
	tree_write(&tree, MAIN, HEAD "Compression=none\n");
	tree_write(&tree, "/etc/hibernate.conf.d/a.conf", HEAD "Compression=lz4\nCompressionLevel=1\n");
	ck_assert_int_eq(config_load(&c, &tree.sys, &f), 0);
	ck_assert_int_eq(c.compression, CODEC_LZ4);
	tree_deinit(&tree);
}
END_TEST

START_TEST(odd_files_are_refused_by_name)
{
	struct failure f = {0};
	struct tree tree;
	struct config c;

	tree_init(&tree);
	tree_write(&tree, MAIN "/x", "");
	ck_assert_int_eq(config_load(&c, &tree.sys, &f), -EISDIR);
	ck_assert_int_eq(f.reason, REASON_CONFIG);
	ck_assert_str_eq(f.object, MAIN);
	tree_remove(&tree, MAIN "/x");
	tree_remove(&tree, MAIN);

	tree_sparse(&tree, MAIN, GIB);
	ck_assert_int_eq(config_load(&c, &tree.sys, &f), -EFBIG);
	ck_assert_str_eq(f.object, MAIN);
	ck_assert_str_eq(f.text, "it has 1073741824 bytes, 65536 are allowed");
	tree_remove(&tree, MAIN);

	alarm(10);
	ck_assert_int_eq(mkfifo(tree_path(&tree, MAIN), 0600), 0);
	ck_assert_int_eq(config_load(&c, &tree.sys, &f), -EINVAL);
	ck_assert_str_eq(f.text, "it is not a regular file");
	tree_remove(&tree, MAIN);
	alarm(0);

	tree_link(&tree, MAIN, "hibernate.conf");
	ck_assert_int_eq(config_load(&c, &tree.sys, &f), -ELOOP);
	ck_assert_str_eq(f.object, MAIN);
	tree_remove(&tree, MAIN);

	tree_link(&tree, MAIN, "/nowhere");
	ck_assert_int_eq(config_load(&c, &tree.sys, &f), -ENOENT);
	ck_assert_str_eq(f.text, "it is a link to nowhere");
	tree_remove(&tree, MAIN);

	tree_write(&tree, "/srv/real.conf", HEAD "Threads=9\n");
	tree_link(&tree, MAIN, "/srv/real.conf");
	ck_assert_int_eq(config_load(&c, &tree.sys, &f), 0);
	ck_assert_uint_eq(c.threads, 9);

	tree_write(&tree, "/etc/hibernate.conf.d", "");
	ck_assert_int_eq(config_load(&c, &tree.sys, &f), -ENOTDIR);
	ck_assert_str_eq(f.object, "/etc/hibernate.conf.d");
	tree_remove(&tree, "/etc/hibernate.conf.d");
	tree_write(&tree, "/etc/hibernate.conf.d/x.conf/y", "");
	ck_assert_int_eq(config_load(&c, &tree.sys, &f), -EISDIR);
	ck_assert_str_eq(f.object, "/etc/hibernate.conf.d/x.conf");
	tree_deinit(&tree);
}
END_TEST

/* A whole file of comment lines, 64 bytes each. */
static void fill_lines(char *text, size_t size)
{
	memset(text, '#', size);
	for (size_t i = 63; i < size; i += 64)
		text[i] = '\n';
}

START_TEST(limits_are_exact)
{
	static char text[CONFIG_FILE_BYTES_MAX + 2];
	struct failure f = {0};
	struct tree tree;
	struct config c;
	char line[1100], path[64];

	tree_init(&tree);
	fill_lines(text, sizeof(text));
	tree_write_bytes(&tree, MAIN, text, CONFIG_FILE_BYTES_MAX);
	ck_assert_int_eq(config_load(&c, &tree.sys, &f), 0);
	tree_write_bytes(&tree, MAIN, text, CONFIG_FILE_BYTES_MAX + 1);
	ck_assert_int_eq(config_load(&c, &tree.sys, &f), -EFBIG);

	memset(line, '#', sizeof(line));
	tree_write_bytes(&tree, MAIN, line, 1024);
	ck_assert_int_eq(config_load(&c, &tree.sys, &f), 0);
	tree_write_bytes(&tree, MAIN, line, 1025);
	ck_assert_int_eq(config_load(&c, &tree.sys, &f), -EINVAL);
	ck_assert_str_eq(f.object, MAIN ":1");
	ck_assert_str_eq(f.text, "the line has 1025 bytes, 1024 are allowed");

	snprintf(line, sizeof(line), HEAD "ResumeDevice=/%0254d\n", 7);
	ck_assert_int_eq(load_text(&c, line, &f), 0);
	ck_assert_uint_eq(strlen(c.resume_device), 255);
	ck_assert_uint_eq(strlen(value_of(&c, CONFIG_RESUME_DEVICE)), 255);
	snprintf(line, sizeof(line), HEAD "ResumeDevice=/%0255d\n", 7);
	ck_assert_int_eq(load_text(&c, line, &f), -EINVAL);

	tree_remove(&tree, MAIN);
	for (int i = 0; i <= CONFIG_DROPINS_MAX; i++) {
		ck_assert_int_eq(config_load(&c, &tree.sys, &f), 0);
		snprintf(path, sizeof(path), "/run/hibernate.conf.d/%d.conf", i);
		tree_write(&tree, path, "");
	}
	ck_assert_int_eq(config_load(&c, &tree.sys, &f), -E2BIG);
	tree_deinit(&tree);
}
END_TEST

START_TEST(long_paths_keep_their_line)
{
	struct failure f = {0};
	struct tree tree;
	struct config c;
	char path[300];

	tree_init(&tree);
	snprintf(path, sizeof(path), "/usr/local/lib/hibernate.conf.d/%0250d.conf", 7);
	tree_write(&tree, path, HEAD "Threads=2\n");
	ck_assert_int_eq(config_load(&c, &tree.sys, &f), 0);
	ck_assert_str_eq(c.origins[CONFIG_THREADS].file, path);
	tree_write(&tree, path, HEAD "\njunk\n");
	ck_assert_int_eq(config_load(&c, &tree.sys, &f), -EINVAL);
	ck_assert_uint_gt(strlen(f.object), 60);
	ck_assert_str_eq(f.object + strlen(f.object) - strlen("0007.conf:3"), "0007.conf:3");
	tree_deinit(&tree);
}
END_TEST

START_TEST(an_explicit_file_must_exist)
{
	struct sysctx host = sysctx_host();
	struct failure f = {0};
	struct tree tree;
	struct config c;

	tree_init(&tree);
	tree_write(&tree, MAIN, "junk");
	ck_assert_int_eq(config_load_file(&c, &tree.sys, "/srv/x", &f), -ENOENT);
	ck_assert_str_eq(f.object, "/srv/x");
	tree_write(&tree, "/srv/x", HEAD "Threads=3\n");
	ck_assert_int_eq(config_load_file(&c, &tree.sys, "/srv/x", &f), 0);
	ck_assert_uint_eq(c.threads, 3);
	ck_assert_int_eq(config_load_file(&c, &host, "/dev/null", &f), 0);
	ck_assert_uint_eq(c.threads, 0);
	ck_assert_int_eq(config_load_file(&c, &host, "/dev/zero", &f), -EINVAL);
	/* stat() calls this one empty, and it is regular. */
	ck_assert_int_eq(config_load_file(&c, &host, "/proc/self/maps", &f), -EINVAL);
	ck_assert_str_eq(f.object, "/proc/self/maps:1");
	tree_deinit(&tree);
}
END_TEST

static const struct {
	const char *cmdline;
	int result;
	bool noresume;
	enum config_key key;
	const char *value;
} cmdlines[] = {
	{"quiet splash", 0, false, CONFIG_RESUME_DEVICE, "/from/file"},
	{"resume=UUID=1234 quiet", 0, false, CONFIG_RESUME_DEVICE, "UUID=1234"},
	{"resume=/dev/a resume=/dev/b", 0, false, CONFIG_RESUME_DEVICE, "/dev/b"},
	{"\"resume=LABEL=my swap\" quiet", 0, false, CONFIG_RESUME_DEVICE, "LABEL=my swap"},
	{"resume=\"LABEL=my swap\"", 0, false, CONFIG_RESUME_DEVICE, "LABEL=my swap"},
	{"resume=254:3", 0, false, CONFIG_RESUME_DEVICE, "/dev/block/254:3"},
	{"resume= quiet", 0, true, CONFIG_RESUME_DEVICE, "/from/file"},
	{"resume=what", -EINVAL, false, CONFIG_RESUME_DEVICE, "/from/file"},
	{"xresume=/dev/a resumed=/dev/b", 0, false, CONFIG_RESUME_DEVICE, "/from/file"},
	{"x -- resume=/dev/a noresume", 0, false, CONFIG_RESUME_DEVICE, "/from/file"},
	{"resume_offset=34816", 0, false, CONFIG_RESUME_OFFSET, "34816"},
	{"resume_offset=x", -EINVAL, false, CONFIG_RESUME_OFFSET, "auto"},
	{"resumewait", 0, false, CONFIG_RESUME_WAIT, "infinity"},
	{"noresume", 0, true, CONFIG_RESUME_WAIT, "30"},
	{"  nohibernate\t", 0, true, CONFIG_RESUME_WAIT, "30"},
	{"hibernate=noresume", 0, true, CONFIG_RESUME_WAIT, "30"},
	{"hibernate=no", 0, true, CONFIG_RESUME_WAIT, "30"},
	{"hibernate=nocompress hibernate.compressor=lz4", 0, false, CONFIG_COMPRESSION, "lz4"},
	{"hibernated.ResumeFailure=boot", 0, false, CONFIG_RESUME_FAILURE, "boot"},
	{"hibernated.AbortKey=\"esc power\" x", 0, false, CONFIG_ABORT_KEY, "esc power"},
	{"hibernated.Sealing=required", 0, false, CONFIG_SEALING, "required"},
	{"hibernated.TPMKeySet=0123456789abcdef0123456789abcdef", 0, false, CONFIG_TPM_KEY_SET, "none"},
	{"hibernated.Nothing=1", -EINVAL, false, CONFIG_RESUME_FAILURE, "ask"},
	{"hibernated.Progress", -EINVAL, false, CONFIG_PROGRESS, "yes"},
	{"hibernated.Compression=none hibernated.CompressionLevel=3", -EINVAL, false, CONFIG_COMPRESSION, "lz4"},
	{"resume=/dev/a\033[2J", -EINVAL, false, CONFIG_RESUME_DEVICE, "/from/file"},
	{"hibernated.KeyDirectory=\"/a\nb\"", -EINVAL, false, CONFIG_KEY_DIRECTORY, "/etc/hibernate/keys"},
	{"resume=/dev/a hibernated.Threads=0", -EINVAL, false, CONFIG_RESUME_DEVICE, "/from/file"},
};

START_TEST(kernel_command_lines)
{
	struct failure f = {0};
	struct tree tree;
	struct config c;
	bool noresume = false;

	tree_init(&tree);
	tree_write(&tree, MAIN, HEAD "ResumeDevice=/from/file\n");
	ck_assert_int_eq(config_load(&c, &tree.sys, &f), 0);
	tree_write(&tree, "/proc/cmdline", cmdlines[_i].cmdline);
	ck_assert_int_eq(config_apply_cmdline(&c, &tree.sys, &noresume, &f), cmdlines[_i].result);
	ck_assert_int_eq(noresume, cmdlines[_i].noresume);
	ck_assert_str_eq(value_of(&c, cmdlines[_i].key), cmdlines[_i].value);
	ck_assert_int_eq(failed(&f), cmdlines[_i].result < 0);
	if (failed(&f))
		ck_assert_str_eq(f.object, "/proc/cmdline");
	tree_deinit(&tree);
}
END_TEST

START_TEST(cmdline_that_cannot_be_read)
{
	static char longest[9000];
	struct failure f = {0};
	struct tree tree;
	struct config c;
	bool noresume = true;

	config_init(&c);
	tree_init(&tree);
	ck_assert_int_eq(config_apply_cmdline(&c, &tree.sys, &noresume, &f), -ENOENT);
	ck_assert_int_eq(f.reason, REASON_CONFIG);
	memset(longest, 'x', sizeof(longest) - 1);
	tree_write(&tree, "/proc/cmdline", longest);
	ck_assert_int_eq(config_apply_cmdline(&c, &tree.sys, &noresume, &f), -EFBIG);
	ck_assert(noresume);
	tree_deinit(&tree);
}
END_TEST

START_TEST(origins_of_the_command_line)
{
	struct failure f = {0};
	struct tree tree;
	struct config c;
	bool noresume;

	config_init(&c);
	tree_init(&tree);
	tree_write(&tree, "/proc/cmdline", "resumewait");
	ck_assert_int_eq(config_apply_cmdline(&c, &tree.sys, &noresume, &f), 0);
	ck_assert_str_eq(origin_of(&c, CONFIG_RESUME_WAIT), "/proc/cmdline");
	tree_deinit(&tree);
}
END_TEST

START_TEST(printed_lines_can_be_read_back)
{
	static char text[4096];
	struct failure f = {0};
	struct config c;
	FILE *out = fmemopen(text, sizeof(text), "w");
	size_t lines = 0;

	ck_assert_ptr_nonnull(out);
	ck_assert_int_eq(load_text(&c, HEAD "Threads=3\n", &f), 0);
	ck_assert_int_eq(config_print(&c, out), 0);
	fclose(out);
	for (char *line = text; *line; line = strchr(line, '\n') + 1)
		lines++;
	ck_assert_uint_eq(lines, _CONFIG_KEY_MAX);
	ck_assert_ptr_nonnull(strstr(text, "\nThreads=3 "));
	ck_assert_ptr_nonnull(strstr(text, " " MAIN ":2\n"));
	ck_assert_ptr_nonnull(strstr(text, "\nResumeWait=30 "));
}
END_TEST

START_TEST(memory_may_be_refused)
{
	struct failure f = {0};
	struct tree tree;
	struct config c;
	int r;

	tree_init(&tree);
	allocator_refuse(true);
	r = config_load(&c, &tree.sys, &f);
	allocator_refuse(false);
	ck_assert_int_eq(r, -ENOMEM);
	ck_assert_int_eq(f.reason, REASON_INTERNAL);
	tree_write(&tree, MAIN, HEAD);
	allocator_refuse(true);
	r = config_load_file(&c, &tree.sys, MAIN, &f);
	allocator_refuse(false);
	ck_assert_int_eq(r, -ENOMEM);
	ck_assert_str_eq(f.object, MAIN);
	tree_deinit(&tree);
}
END_TEST

START_TEST(names_of_enums)
{
	for (int i = 0; i < _SHUTDOWN_MAX; i++)
		ck_assert_int_eq(shutdown_mode_from_name(shutdown_mode_name(i)), i);
	for (int i = 0; i < _RESUME_FAILURE_MAX; i++)
		ck_assert_int_eq(resume_failure_from_name(resume_failure_name(i)), i);
	for (int i = 0; i < _CONFIG_KEY_MAX; i++)
		ck_assert_int_eq(config_key_from_name(config_key_name(i)), i);
	ck_assert_ptr_null(shutdown_mode_name(_SHUTDOWN_MAX));
	ck_assert_ptr_null(resume_failure_name(_RESUME_FAILURE_MAX));
	ck_assert_ptr_null(config_key_name(_CONFIG_KEY_MAX));
	ck_assert_ptr_null(config_key_allowed(_CONFIG_KEY_INVALID));
	ck_assert_int_eq(shutdown_mode_from_name("x"), _SHUTDOWN_INVALID);
	ck_assert_int_eq(resume_failure_from_name("x"), _RESUME_FAILURE_INVALID);
	ck_assert_int_eq(config_key_from_name("x"), _CONFIG_KEY_INVALID);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("config");
	TCase *cases = tcase_create("config");
	SRunner *runner = srunner_create(suite);
	int bad;

	suite_add_tcase(suite, cases);
	tcase_add_loop_test(cases, good_values_come_back, 0, ARRAY_LENGTH(good_values));
	tcase_add_loop_test(cases, bad_values_name_line_and_what_is_allowed, 0, ARRAY_LENGTH(bad_values));
	tcase_add_loop_test(cases, bad_files_name_line_and_complaint, 0, ARRAY_LENGTH(bad_files));
	tcase_add_test(cases, nothing_at_all_means_defaults);
	tcase_add_test(cases, values_have_their_units);
	tcase_add_test(cases, threads_are_bounded);
	tcase_add_test(cases, a_named_key_set_needs_sealing);
	tcase_add_test(cases, text_forms_that_are_fine);
	tcase_add_test(cases, main_file_is_the_first_found);
	tcase_add_test(cases, dropins_in_order_of_names_and_masked_by_place);
	tcase_add_test(cases, a_key_may_come_again_in_another_file_only);
	tcase_add_test(cases, odd_files_are_refused_by_name);
	tcase_add_test(cases, limits_are_exact);
	tcase_add_test(cases, long_paths_keep_their_line);
	tcase_add_test(cases, an_explicit_file_must_exist);
	tcase_add_loop_test(cases, kernel_command_lines, 0, ARRAY_LENGTH(cmdlines));
	tcase_add_test(cases, cmdline_that_cannot_be_read);
	tcase_add_test(cases, origins_of_the_command_line);
	tcase_add_test(cases, printed_lines_can_be_read_back);
	tcase_add_test(cases, memory_may_be_refused);
	tcase_add_test(cases, names_of_enums);
	srunner_run_all(runner, CK_NORMAL);
	bad = srunner_ntests_failed(runner);
	srunner_free(runner);
	return bad ? EXIT_FAILURE : EXIT_SUCCESS;
}

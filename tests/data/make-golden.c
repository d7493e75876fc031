/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Make the images of tests/data anew into a folder: for a format version that does not exist yet. Images of a
 * released version are never made again: they are what old machines wrote.
 */
#include "sample.h"

#include "base/fdio.h"
#include "base/secret.h"
#include "seal/keyfile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

static int make(const struct sample *sample, const char *folder)
{
	struct sample_place place;
	struct failure f = {0};
	char path[4096], pages_path[4096], text[1024];
	AUTO_CLOSE int fd = -1;
	AUTO_FCLOSE FILE *pages = NULL;

	snprintf(path, sizeof(path), "%s/v1-%s.img", folder, sample->name);
	snprintf(pages_path, sizeof(pages_path), "%s/v1-%s.pages", folder, sample->name);
	fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	pages = fopen(pages_path, "we");
	if (fd < 0 || !pages) {
		fprintf(stderr, "%s: %s\n", path, strerror(errno));
		return 1;
	}
	if (sample_write(sample, fd, &place, &f) < 0) {
		fprintf(stderr, "%s\n", failure_format(&f, text, sizeof(text)));
		return 1;
	}
	for (uint32_t i = 0; i < sample->pages; i++) {
		uint8_t page[PAGE_BYTES];

		sample_page(sample, i, page);
		fwrite(page, sizeof(page), 1, pages);
	}
	return fflush(pages) ? 1 : 0;
}

/* The key set of sealed samples, as it lies in a key directory; the same that machines for tests get. */
static int make_keys(const char *folder)
{
	AUTO_SECRET struct key_material *material = secret_new(sizeof(*material));
	struct failure f = {0};
	char path[4096], text[1024];

	snprintf(path, sizeof(path), "%s/keys", folder);
	if (material && sample_keys(material) >= 0 && key_file_store(path, material, &f) >= 0)
		return 0;
	fprintf(stderr, "%s: %s\n", path, failure_format(&f, text, sizeof(text)));
	return 1;
}

int main(int argc, char **argv)
{
	struct failure f = {0};
	char text[1024];
	int status = 0;

	if (argc != 2) {
		fprintf(stderr, "usage: make-golden FOLDER\n");
		return 2;
	}
	for (size_t i = 0; i < sample_count; i++)
		status |= make(&samples[i], argv[1]);
	if (crypto_init(&f) < 0) {
		fprintf(stderr, "%s\n", failure_format(&f, text, sizeof(text)));
		return 1;
	}
	for (size_t i = 0; i < sealed_sample_count; i++)
		status |= make(&sealed_samples[i], argv[1]);
	status |= make_keys(argv[1]);
	return status;
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The primitives against published vectors, and what they leave behind. RFC 5869 has no vectors with SHA-512: those
 * here were made from the same inputs by another implementation.
 */
#include "base/secret.h"
#include "hex.h"
#include "low-order.h"
#include "seal/crypto.h"
#include "seal/hkdf.h"
#include "secrets.h"

#include <check.h>
#include <errno.h>
#include <gcrypt.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

static struct failure failure;

static void begin(void)
{
	char text[1024];

	if (crypto_init(&failure) < 0)
		ck_abort_msg("%s", failure_format(&failure, text, sizeof(text)));
}

/* ---- setting up: each in a process of its own, since libgcrypt is set up once in a process ---- */

/* What this program is asked to do by the tests below. Exit status: the reason's. */
static int init_under(const char *condition)
{
	struct rlimit none = {0, 0};
	struct failure f = {0};
	char text[1024];

	if (strcmp(condition, "foreign") == 0) {
		gcry_check_version(NULL);
		gcry_control(GCRYCTL_INITIALIZATION_FINISHED, 0);
	}
	if (strcmp(condition, "unlocked") == 0 &&
	    (setrlimit(RLIMIT_MEMLOCK, &none) < 0 || (geteuid() == 0 && setresuid(65534, 65534, 65534) < 0)))
		return 99;
	if (crypto_init(&f) >= 0)
		return strcmp(condition, "twice") == 0 && crypto_init(&f) < 0;
	dprintf(STDOUT_FILENO, "%s", failure_format(&f, text, sizeof(text)));
	return reason_exit_status(f.reason);
}

static const struct {
	const char *condition;
	enum reason reason;
	const char *text;
} conditions[] = {
	{"plain", REASON_NONE, ""},
	{"twice", REASON_NONE, ""},
	{"fips", REASON_CRYPTO, "FIPS mode"},
	{"foreign", REASON_CRYPTO, "set it up already"},
	{"unlocked", REASON_CRYPTO, "RLIMIT_MEMLOCK"}, /* the last one */
};

START_TEST(what_is_missing_is_refused_with_the_reason)
{
	char *arguments[] = {"test-crypto", "--init", (char *)conditions[_i].condition, NULL};
	char *fips[] = {"LIBGCRYPT_FORCE_FIPS_MODE=1", NULL}, *plain[] = {NULL};
	char said[2048] = "";
	int ends[2], status;
	ssize_t size;
	pid_t pid;

	ck_assert_int_eq(pipe(ends), 0);
	pid = fork();
	if (pid == 0) {
		dup2(ends[1], STDOUT_FILENO);
		execve("/proc/self/exe", arguments, strcmp(conditions[_i].condition, "fips") == 0 ? fips : plain);
		_exit(98);
	}
	close(ends[1]);
	size = read(ends[0], said, sizeof(said) - 1);
	ck_assert_int_ge(size, 0);
	close(ends[0]);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_msg(WIFEXITED(status), "%s: signal %d", conditions[_i].condition, WTERMSIG(status));
	ck_assert_msg(WEXITSTATUS(status) == reason_exit_status(conditions[_i].reason), "%s: status %d, '%s'",
		      conditions[_i].condition, WEXITSTATUS(status), said);
	ck_assert_msg(strstr(said, conditions[_i].text), "'%s' lacks '%s'", said, conditions[_i].text);
}
END_TEST

START_TEST(suites_have_names)
{
	for (int i = 0; i < _SUITE_MAX; i++) {
		ck_assert_int_eq(suite_from_name(suite_name((enum seal_suite)i)), i);
		ck_assert_int_eq(suite_seals((enum seal_suite)i), i != SUITE_NONE);
	}
	ck_assert_ptr_null(suite_name(_SUITE_MAX));
	ck_assert_ptr_null(suite_name(_SUITE_INVALID));
	ck_assert_int_eq(suite_from_name("aes256-cbc"), _SUITE_INVALID);
	ck_assert_int_eq(suite_default(), crypto_has_aes() ? SUITE_AES256_OCB : SUITE_CHACHA20_POLY1305);
	ck_assert(!suite_seals(_SUITE_MAX));
	ck_assert(!suite_seals(_SUITE_INVALID));
}
END_TEST

/* ---- authenticated encryption ---- */

#define GCM_KEY "feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308"
#define ZEROS_16 "00000000000000000000000000000000"

/* McGrew and Viega, "The Galois/Counter Mode of Operation", test cases 13, 14, 16; RFC 8439, 2.8.2. */
static const struct {
	enum seal_suite suite;
	const char *key, *nonce, *extra, *plain, *sealed, *tag;
} aead_vectors[] = {
	{SUITE_AES256_GCM, ZEROS_16 ZEROS_16, "000000000000000000000000", "", "", "",
	 "530f8afbc74536b9a963b4f1c4cb738b"},
	{SUITE_AES256_GCM, ZEROS_16 ZEROS_16, "000000000000000000000000", "", ZEROS_16,
	 "cea7403d4d606b6e074ec5d3baf39d18", "d0d1c8a799996bf0265b98b5d48ab919"},
	{SUITE_AES256_GCM, GCM_KEY, "cafebabefacedbaddecaf888", "feedfacedeadbeeffeedfacedeadbeefabaddad2",
	 "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72"
	 "1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39",
	 "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa"
	 "8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662",
	 "76fc6ece0f4e1768cddf8853bb2d551b"},
	{SUITE_CHACHA20_POLY1305, "808182838485868788898a8b8c8d8e8f909192939495969798999a9b9c9d9e9f",
	 "070000004041424344454647", "50515253c0c1c2c3c4c5c6c7",
	 "4c616469657320616e642047656e746c656d656e206f662074686520636c6173"
	 "73206f66202739393a204966204920636f756c64206f6666657220796f75206f"
	 "6e6c79206f6e652074697020666f7220746865206675747572652c2073756e73"
	 "637265656e20776f756c642062652069742e",
	 "d31a8d34648e60db7b86afbc53ef7ec2a4aded51296e08fea9e2b5a736ee62d6"
	 "3dbea45e8ca9671282fafb69da92728b1a71de0a9e060b2905d6a5b67ecd3b36"
	 "92ddbd7f2d778b8c9803aee328091b58fab324e4fad675945585808b4831d7bc"
	 "3ff4def08e4b7a9de576d26586cec64b6116",
	 "1ae10b594f09e26a7e902ecbd0600691"},
};

START_TEST(aead_vectors_fit)
{
	uint8_t key[32], nonce[12], extra[64], plain[256], sealed[256], opened[256], tag[16];
	size_t extra_size = unhex(aead_vectors[_i].extra, extra, sizeof(extra));
	size_t size = unhex(aead_vectors[_i].plain, plain, sizeof(plain));
	AUTO_AEAD struct aead *aead = NULL;

	unhex(aead_vectors[_i].key, key, sizeof(key));
	unhex(aead_vectors[_i].nonce, nonce, sizeof(nonce));
	ck_assert_int_eq(aead_new(&aead, aead_vectors[_i].suite), 0);
	for (int round = 0; round < 2; round++) { /* the handle is used again */
		ck_assert_int_eq(aead_set_key(aead, key), 0);
		ck_assert_int_eq(aead_seal(aead, nonce, (struct bytes){extra, extra_size}, plain, sealed, size, tag), 0);
		ck_assert_hex(sealed, aead_vectors[_i].sealed);
		ck_assert_hex(tag, aead_vectors[_i].tag);
		ck_assert_int_eq(aead_open(aead, nonce, (struct bytes){extra, extra_size}, sealed, opened, size, tag), 0);
		ck_assert_mem_eq(opened, plain, size);
	}
}
END_TEST

static struct aead *ocb;

static size_t ocb_append(uint8_t *out, unsigned int number, size_t extra_size, size_t plain_size)
{
	static const uint8_t zeros[128];
	uint8_t nonce[12] = {[10] = (uint8_t)(number >> 8), [11] = (uint8_t)number};

	ck_assert_int_eq(aead_seal(ocb, nonce, (struct bytes){zeros, extra_size}, zeros, out, plain_size, out + plain_size), 0);
	return plain_size + 16;
}

/* RFC 7253, appendix A: the iterated test for AEAD_AES_256_OCB_TAGLEN128, which goes through all lengths up to 127. */
START_TEST(ocb_vector_fits)
{
	uint8_t key[32] = {[31] = 128}, nonce[12] = {[10] = 385 >> 8, [11] = 385 & 0xff}, tag[16], none = 0;
	uint8_t *all = malloc(128 * 3 * (128 + 16));
	size_t size = 0;

	ck_assert_int_eq(aead_new(&ocb, SUITE_AES256_OCB), 0);
	ck_assert_int_eq(aead_set_key(ocb, key), 0);
	for (unsigned int i = 0; i < 128; i++) {
		size += ocb_append(all + size, 3 * i + 1, i, i);
		size += ocb_append(all + size, 3 * i + 2, 0, i);
		size += ocb_append(all + size, 3 * i + 3, i, 0);
	}
	ck_assert_int_eq(aead_seal(ocb, nonce, (struct bytes){all, size}, &none, &none, 0, tag), 0);
	ck_assert_hex(tag, "d90eb8e9c977c88b79dd793d7ffa161c");
	ocb = aead_free(ocb);
	free(all);
}
END_TEST

/* Each bit of what goes in, for each suite; what does not fit leaves nothing behind. */
START_TEST(a_changed_bit_is_refused)
{
	struct {
		uint8_t nonce[12], extra[20], sealed[37], tag[16];
	} good, bad;
	uint8_t key[32] = {1}, plain[37];
	AUTO_AEAD struct aead *aead = NULL;

	memset(&good, 0x33, sizeof(good));
	memset(plain, 0x44, sizeof(plain));
	ck_assert_int_eq(aead_new(&aead, (enum seal_suite)_i), 0);
	ck_assert_int_eq(aead_set_key(aead, key), 0);
	ck_assert_int_eq(aead_seal(aead, good.nonce, (struct bytes){good.extra, sizeof(good.extra)}, plain, good.sealed,
				   sizeof(plain), good.tag), 0);
	for (size_t bit = 0; bit < 8 * sizeof(good); bit++) {
		bad = good;
		((uint8_t *)&bad)[bit / 8] ^= (uint8_t)(1 << bit % 8);
		memset(plain, 0x44, sizeof(plain));
		ck_assert_int_eq(aead_open(aead, bad.nonce, (struct bytes){bad.extra, sizeof(bad.extra)}, bad.sealed, plain,
					   sizeof(plain), bad.tag), -EBADMSG);
		for (size_t i = 0; i < sizeof(plain); i++)
			ck_assert_uint_eq(plain[i], 0);
	}
	ck_assert_int_eq(aead_open(aead, good.nonce, (struct bytes){good.extra, sizeof(good.extra)}, good.sealed, plain,
				   sizeof(plain), good.tag), 0);
	ck_assert_uint_eq(plain[36], 0x44);
}
END_TEST

START_TEST(sealing_in_place_asks_for_no_memory)
{
	uint8_t key[32] = {1}, nonce[12] = {0}, tag[16], data[5000], plain[5000];
	AUTO_AEAD struct aead *aead = NULL;
	unsigned int before;
	int r;

	memset(data, 7, sizeof(data));
	memcpy(plain, data, sizeof(plain));
	ck_assert_int_eq(aead_new(&aead, (enum seal_suite)_i), 0);
	before = secrets_refused();
	secrets_refuse(true);
	r = aead_set_key(aead, key);
	for (uint8_t i = 0; r >= 0 && i < 3; i++) {
		nonce[0] = i;
		r = aead_seal(aead, nonce, (struct bytes){key, 5}, data, data, sizeof(data), tag);
		if (r >= 0)
			r = aead_open(aead, nonce, (struct bytes){key, 5}, data, data, sizeof(data), tag);
	}
	secrets_refuse(false);
	ck_assert_int_eq(r, 0);
	ck_assert_uint_eq(secrets_refused(), before);
	ck_assert_mem_eq(data, plain, sizeof(data));
}
END_TEST

START_TEST(no_handle_without_memory_or_suite)
{
	struct aead *aead = NULL;
	int r;

	secrets_refuse(true);
	r = aead_new(&aead, SUITE_AES256_GCM);
	secrets_refuse(false);
	ck_assert_int_eq(r, -ENOMEM);
	ck_assert_int_eq(aead_new(&aead, SUITE_NONE), -EINVAL);
	ck_assert_int_eq(aead_new(&aead, _SUITE_MAX), -EINVAL);
	ck_assert_int_eq(aead_new(&aead, _SUITE_INVALID), -EINVAL);
	ck_assert_ptr_null(aead);
	ck_assert_ptr_null(aead_free(NULL));
}
END_TEST

/* ---- hashes ---- */

#define KEY_131                                                                                                        \
	"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa" \
	"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa" \
	"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

/* RFC 4231, test cases 1, 2 and 6. */
static const struct {
	enum crypto_hash hash;
	const char *key, *text, *result;
} hmac_vectors[] = {
	{HASH_SHA256, "0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b", "Hi There",
	 "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"},
	{HASH_SHA512, "0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b", "Hi There",
	 "87aa7cdea5ef619d4ff0b4241a1d6cb02379f4e2ce4ec2787ad0b30545e17cde"
	 "daa833b7d6b8a702038b274eaea3f4e4be9d914eeb61f1702e696c203a126854"},
	{HASH_SHA256, "4a656665", "what do ya want for nothing?",
	 "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"},
	{HASH_SHA512, "4a656665", "what do ya want for nothing?",
	 "164b7a7bfcf819e2e395fbe73b56e0a387bd64222e831fd610270cd7ea250554"
	 "9758bf75c05a994a6d034f65f8f0e6fdcaeab1a34d4a6b4b636e070a38bce737"},
	{HASH_SHA256, KEY_131, "Test Using Larger Than Block-Size Key - Hash Key First",
	 "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"},
	{HASH_SHA512, KEY_131, "Test Using Larger Than Block-Size Key - Hash Key First",
	 "80b24263c7c1a3ebb71493c1dd7be8b49b46d1f41b4aeec1121b013783f8f352"
	 "6b56d037e05f2598bd0fd2215d6a1e5295e64f73f63f0aec8b915a985d786598"},
};

START_TEST(hmac_vectors_fit)
{
	uint8_t key[160], out[64];
	size_t key_size = unhex(hmac_vectors[_i].key, key, sizeof(key));
	const char *text = hmac_vectors[_i].text;
	struct bytes pieces[] = {{text, 3}, {text, 0}, {text + 3, strlen(text) - 3}};

	ck_assert_int_eq(hmac_of(hmac_vectors[_i].hash, (struct bytes){key, key_size}, pieces, 3, out), 0);
	ck_assert_hex(out, hmac_vectors[_i].result);
}
END_TEST

/* FIPS 180-2, appendices B.1 and C.1. */
START_TEST(hash_vectors_fit)
{
	struct bytes pieces[] = {{"a", 1}, {"bc", 2}};
	uint8_t out[64];

	ck_assert_int_eq(hash_of(HASH_SHA256, pieces, 2, out), 0);
	ck_assert_hex(out, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
	ck_assert_int_eq(hash_of(HASH_SHA512, pieces, 2, out), 0);
	ck_assert_hex(out, "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a"
			   "2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f");
}
END_TEST

#define FROM_00 "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f202122232425262728292a2b2c2d2e2f" \
		"303132333435363738393a3b3c3d3e3f404142434445464748494a4b4c4d4e4f"
#define FROM_60 "606162636465666768696a6b6c6d6e6f707172737475767778797a7b7c7d7e7f808182838485868788898a8b8c8d8e8f" \
		"909192939495969798999a9b9c9d9e9fa0a1a2a3a4a5a6a7a8a9aaabacadaeaf"
#define FROM_B0 "b0b1b2b3b4b5b6b7b8b9babbbcbdbebfc0c1c2c3c4c5c6c7c8c9cacbcccdcecfd0d1d2d3d4d5d6d7d8d9dadbdcdddedf" \
		"e0e1e2e3e4e5e6e7e8e9eaebecedeeeff0f1f2f3f4f5f6f7f8f9fafbfcfdfeff"

static const struct {
	enum crypto_hash hash;
	const char *secret, *salt, *info, *key, *out;
} hkdf_vectors[] = {
	{HASH_SHA256, "0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b", "000102030405060708090a0b0c", "f0f1f2f3f4f5f6f7f8f9",
	 "077709362c2e32df0ddc3f0dc47bba6390b6c73bb50f9c3122ec844ad7c2b3e5",
	 "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865"},
	{HASH_SHA256, FROM_00, FROM_60, FROM_B0, "06a6b88c5853361a06104c9ceb35b45cef760014904671014a193f40c15fc244",
	 "b11e398dc80327a1c8e7f78c596a49344f012eda2d4efad8a050cc4c19afa97c"
	 "59045a99cac7827271cb41c65e590e09da3275600c2f09b8367793a9aca3db71"
	 "cc30c58179ec3e87c14c01d5c1f3434f1d87"},
	{HASH_SHA256, "0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b", "", "",
	 "19ef24a32c717b167f33a91d6f648bdf96596776afdb6377ac434c1c293ccb04",
	 "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8"},
	{HASH_SHA512, "0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b", "000102030405060708090a0b0c", "f0f1f2f3f4f5f6f7f8f9",
	 "665799823737ded04a88e47e54a5890bb2c3d247c7a4254a8e61350723590a26"
	 "c36238127d8661b88cf80ef802d57e2f7cebcf1e00e083848be19929c61b4237",
	 "832390086cda71fb47625bb5ceb168e4c8e26a1a16ed34d9fc7fe92c1481579338da362cb8d9f925d7cb"},
	{HASH_SHA512, FROM_00, FROM_60, FROM_B0,
	 "35672542907d4e142c00e84499e74e1de08be86535f924e022804ad775dde27e"
	 "c86cd1e5b7d178c74489bdbeb30712beb82d4f97416c5a94ea81ebdf3e629e4a",
	 "ce6c97192805b346e6161e821ed165673b84f400a2b514b2fe23d84cd189ddf1"
	 "b695b48cbd1c8388441137b3ce28f16aa64ba33ba466b24df6cfcb021ecff235"
	 "f6a2056ce3af1de44d572097a8505d9e7a93"},
	{HASH_SHA512, "0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b", "", "",
	 "fd200c4987ac491313bd4a2a13287121247239e11c9ef82802044b66ef357e5b"
	 "194498d0682611382348572a7b1611de54764094286320578a863f36562b0df6",
	 "f5fa02b18298a72a8c23898a8703472c6eb179dc204c03425c970e3b164bf90fff22d04836d0e2343bac"},
};

START_TEST(hkdf_vectors_fit)
{
	uint8_t secret[128], salt[128], info[128], key[64], out[128];
	struct bytes secret_bytes = {secret, unhex(hkdf_vectors[_i].secret, secret, sizeof(secret))};
	struct bytes salt_bytes = {salt, unhex(hkdf_vectors[_i].salt, salt, sizeof(salt))};
	struct bytes info_bytes = {info, unhex(hkdf_vectors[_i].info, info, sizeof(info))};
	struct bytes key_bytes = {key, hash_size(hkdf_vectors[_i].hash)};
	size_t size = strlen(hkdf_vectors[_i].out) / 2;

	ck_assert_int_eq(hkdf_extract(hkdf_vectors[_i].hash, salt_bytes, secret_bytes, key), 0);
	ck_assert_hex(key, hkdf_vectors[_i].key);
	ck_assert_int_eq(hkdf_expand(hkdf_vectors[_i].hash, key_bytes, &info_bytes, 1, out, size), 0);
	ck_assert_hex(out, hkdf_vectors[_i].out);
	ck_assert_int_eq(hkdf_expand(hkdf_vectors[_i].hash, key_bytes, &info_bytes, 1, out, 255 * key_bytes.size + 1), -EINVAL);
	ck_assert_int_eq(hkdf_expand(hkdf_vectors[_i].hash, key_bytes, &info_bytes, HKDF_PIECES_MAX + 1, out, 1), -EINVAL);
}
END_TEST

START_TEST(labels_are_apart)
{
	struct bytes salt = {"salt", 4}, secret = {"secret", 6};
	uint8_t a[32], b[32];

	ck_assert_int_eq(hkdf_derive(salt, secret, "label", (struct bytes){"more", 4}, a, 32), 0);
	ck_assert_int_eq(hkdf_derive(salt, secret, "labelm", (struct bytes){"ore", 3}, b, 32), 0);
	ck_assert_mem_ne(a, b, 32);
	ck_assert_int_eq(hkdf_derive(salt, secret, "label", (struct bytes){"more", 4}, b, 32), 0);
	ck_assert_mem_eq(a, b, 32);
}
END_TEST

/* ---- X25519: RFC 7748, 5.2 and 6.1 ---- */

static const struct {
	const char *secret, *point, *result;
} x25519_vectors[] = {
	{"a546e36bf0527c9d3b16154b82465edd62144c0ac1fc5a18506a2244ba449ac4",
	 "e6db6867583030db3594c1a424b15f7c726624ec26b3353b10a903a6d0ab1c4c",
	 "c3da55379de9c6908e94ea4df28d084f32eccf03491c71f754b4075577a28552"},
	{"4b66e9d4d1b4673c5ad22691957d6af5c11b6421e0ea01d42ca4169e7918ba0d",
	 "e5210f12786811d3f4b7959d0538ae2c31dbe7106fc03c3efc4cd549c715a493",
	 "95cbde9476e8907d7aade45cb4b873f88b595a68799fa152e6f8f7647aac7957"},
	{"5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb",
	 "8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a",
	 "4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742"},
};

START_TEST(x25519_vectors_fit)
{
	uint8_t secret[32], point[32], result[32];

	unhex(x25519_vectors[_i].secret, secret, 32);
	unhex(x25519_vectors[_i].point, point, 32);
	ck_assert_int_eq(x25519_shared(secret, point, result), 0);
	ck_assert_hex(result, x25519_vectors[_i].result);
}
END_TEST

START_TEST(x25519_makes_public_keys)
{
	uint8_t secret[32], public[32];

	unhex("5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb", secret, 32);
	ck_assert_int_eq(x25519_public(secret, public), 0);
	ck_assert_hex(public, "de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f");
}
END_TEST

START_TEST(x25519_iterated_vectors_fit)
{
	uint8_t secret[32] = {9}, point[32] = {9}, result[32];

	for (int i = 1; i <= 1000; i++) {
		ck_assert_int_eq(x25519_shared(secret, point, result), 0);
		memcpy(point, secret, 32);
		memcpy(secret, result, 32);
		if (i == 1)
			ck_assert_hex(secret, "422c8e7a6227d7bca1350b3e2bb7279f7897b87bb6854b783c60e80311ae3079");
	}
	ck_assert_hex(secret, "684cf59ba83309552800ef566f2f4d3c1c3887c49360e3875f2eb94d99532c51");
}
END_TEST

START_TEST(points_of_low_order_are_refused)
{
	uint8_t secret[32], point[32], shared[32];

	memset(secret, 0x77, 32);
	memset(shared, 0x55, 32);
	unhex(low_order[_i], point, 32);
	ck_assert_int_eq(x25519_shared(secret, point, shared), -EKEYREJECTED);
	ck_assert_uint_eq(shared[0], 0x55);
	ck_assert_uint_eq(shared[31], 0x55);
}
END_TEST

/* ---- Ed25519: RFC 8032, 7.1 ---- */

static const struct {
	const char *seed, *public, *message, *signature;
} ed25519_vectors[] = {
	{"9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
	 "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a", "",
	 "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24"
	 "655141438e7a100b"},
	{"4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
	 "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c", "72",
	 "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aee"
	 "b00d291612bb0c00"},
	{"c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
	 "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025", "af82",
	 "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28d"
	 "c027beceea1ec40a"},
};

START_TEST(ed25519_vectors_fit)
{
	uint8_t seed[32], public[32], message[8], signature[64];
	struct bytes bytes = {message, unhex(ed25519_vectors[_i].message, message, sizeof(message))};

	unhex(ed25519_vectors[_i].seed, seed, 32);
	ck_assert_int_eq(ed25519_public(seed, public), 0);
	ck_assert_hex(public, ed25519_vectors[_i].public);
	ck_assert_int_eq(ed25519_sign(seed, bytes, signature), 0);
	ck_assert_hex(signature, ed25519_vectors[_i].signature);
	ck_assert_int_eq(ed25519_verify(public, bytes, signature), 0);
}
END_TEST

START_TEST(ed25519_refuses_what_was_changed)
{
	struct {
		uint8_t public[32], message[9], signature[64];
	} good, bad;
	uint8_t seed[32];

	memset(seed, 0x42, sizeof(seed));
	memcpy(good.message, "hibernate", 9);
	ck_assert_int_eq(ed25519_public(seed, good.public), 0);
	ck_assert_int_eq(ed25519_sign(seed, (struct bytes){good.message, 9}, good.signature), 0);
	for (size_t bit = 0; bit < 8 * sizeof(good); bit += bit < 8 * 40 ? 7 : 3) {
		bad = good;
		((uint8_t *)&bad)[bit / 8] ^= (uint8_t)(1 << bit % 8);
		ck_assert_msg(ed25519_verify(bad.public, (struct bytes){bad.message, 9}, bad.signature) == -EBADMSG, "bit %zu",
			      bit);
	}
	ck_assert_int_eq(ed25519_verify(good.public, (struct bytes){good.message, 8}, good.signature), -EBADMSG);
	ck_assert_int_eq(ed25519_verify(good.public, (struct bytes){good.message, 9}, good.signature), 0);
}
END_TEST

/* S + L is the same number to the group, and would make a second signature out of each. */
START_TEST(ed25519_has_one_form)
{
	static const uint8_t order[32] = {0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7,
					  0xa2, 0xde, 0xf9, 0xde, 0x14, [31] = 0x10};
	uint8_t seed[32] = {5}, public[32], signature[64];
	struct bytes message = {"m", 1};
	unsigned int carry = 0;

	ck_assert_int_eq(ed25519_public(seed, public), 0);
	ck_assert_int_eq(ed25519_sign(seed, message, signature), 0);
	for (size_t i = 0; i < 32; i++) {
		carry += (unsigned int)signature[32 + i] + order[i];
		signature[32 + i] = (uint8_t)carry;
		carry >>= 8;
	}
	ck_assert_int_eq(ed25519_verify(public, message, signature), -EBADMSG);
	memcpy(signature + 32, order, 32);
	ck_assert_int_eq(ed25519_verify(public, message, signature), -EBADMSG);
}
END_TEST

/*
 * Libgcrypt 1.10.1 calls abort() when it verifies by a point with a small coordinate ("different sizes"), and takes
 * signatures made of zeros by points of low order. Nobody has such a key but on purpose.
 */
static const char *const hostile_verifiers[] = {
	/* order 4, 1, 8, 8, 2, and the first two once more modulo 2^255 - 19 */
	"0000000000000000000000000000000000000000000000000000000000000000",
	"0100000000000000000000000000000000000000000000000000000000000000",
	"26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
	"c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
	"ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
	"edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
	"eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
	/* y = 3; y = 5; y = 2^185 and a bit; x = 1 to 8, the first of those that are on the curve */
	"0300000000000000000000000000000000000000000000000000000000000000",
	"0500000000000000000000000000000000000000000000000000000000000000",
	"4530000000000000000000000000000000000000000000020000000000000000",
	"3126711e11ef574692935381d2cd2bbab5dd113c4010f91fd7c4dd7b12bf431a",
	"aa9239e819ad147f9f634c535d82d85717a872ef0ae6c71c72571510cc4ba362",
	/* on no curve at all */
	"ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
};

START_TEST(hostile_verifiers_are_refused)
{
	uint8_t public[32], signature[64];

	unhex(hostile_verifiers[_i / 2], public, 32);
	public[31] ^= _i % 2 ? 0x80 : 0;
	for (int i = 0; i < 24; i++) {
		/* Nothing times anything plus a point of low order is often that point, and it is easy to write down. */
		uint8_t message = (uint8_t)(i / 3);

		memset(signature, 0, sizeof(signature));
		if (i % 3 == 1)
			signature[0] = 1;
		if (i % 3 == 2)
			memset(signature, 7, 63);
		ck_assert_int_eq(ed25519_verify(public, (struct bytes){&message, 1}, signature), -EBADMSG);
	}
}
END_TEST

/* ---- Argon2id: RFC 9106, 5.3 ---- */

START_TEST(argon2id_vector_fits)
{
	struct argon2_cost cost = {.memory_kib = 32, .passes = 3, .lanes = 4};
	uint8_t password[32], salt[16], secret[8], extra[12], out[32];
	struct argon2_input input = {{password, 32}, {salt, 16}, {secret, 8}, {extra, 12}};

	memset(password, 1, 32);
	memset(salt, 2, 16);
	memset(secret, 3, 8);
	memset(extra, 4, 12);
	ck_assert_int_eq(argon2id(&cost, &input, out), 0);
	ck_assert_hex(out, "0d640df58d78766c08c037a34a8b53c9d01ef0452d75b65eb52520e96b01e659");
}
END_TEST

static const struct {
	struct argon2_cost cost;
	bool valid;
} costs[] = {
	{{8, 1, 1}, true},
	{{ARGON2_MEMORY_MAX_KIB, ARGON2_PASSES_MAX, ARGON2_LANES_MAX}, true},
	{{7, 1, 1}, false},
	{{31, 1, 4}, false},
	{{0, 1, 1}, false},
	{{ARGON2_MEMORY_MAX_KIB + 1, 1, 1}, false},
	{{UINT32_MAX, 1, 1}, false},
	{{64, 0, 1}, false},
	{{64, ARGON2_PASSES_MAX + 1, 1}, false},
	{{64, 1, 0}, false},
	{{1024, 1, ARGON2_LANES_MAX + 1}, false},
	{{64, 1, 0x20000000}, false}, /* eight times as much wraps to zero */
};

START_TEST(argon2_costs_have_limits)
{
	struct argon2_input input = {.password = {"p", 1}, .salt = {"saltsalt", 8}};
	uint8_t out[32];

	ck_assert_int_eq(argon2_cost_valid(&costs[_i].cost), costs[_i].valid);
	if (!costs[_i].valid)
		ck_assert_int_eq(argon2id(&costs[_i].cost, &input, out), -EINVAL);
}
END_TEST

START_TEST(argon2_without_memory_or_salt_is_refused)
{
	struct argon2_cost cost = {.memory_kib = 64, .passes = 1, .lanes = 1};
	struct argon2_input input = {.password = {"p", 1}, .salt = {"saltsalt", 8}};
	uint8_t out[32];
	int r;

	secrets_refuse(true);
	r = argon2id(&cost, &input, out);
	secrets_refuse(false);
	ck_assert_int_eq(r, -ENOMEM);
	input.salt.size = 7;
	ck_assert_int_eq(argon2id(&cost, &input, out), -EINVAL);
}
END_TEST

/* ---- what is left behind ---- */

/* Every operation on a secret: what it returns to the system is wiped, and no copy is anywhere else. */
START_TEST(no_copy_stays_behind)
{
	struct argon2_cost cost = {.memory_kib = 64, .passes = 1, .lanes = 1};
	uint8_t *secret = secret_new(32), *derived = secret_new(64), public[32] = {9}, tag[16], signature[64], data[64] = {0};
	struct bytes secret_bytes = {secret, 32};
	struct argon2_input input = {.password = secret_bytes, .salt = {"saltsalt", 8}};
	size_t live;

	ck_assert_int_eq(secret_random(secret, 32), 0);
	live = secrets_live();
	for (int i = SUITE_AES256_GCM; i < _SUITE_MAX; i++) {
		AUTO_AEAD struct aead *aead = NULL;

		ck_assert_int_eq(aead_new(&aead, (enum seal_suite)i), 0);
		ck_assert_int_eq(aead_set_key(aead, secret), 0);
		ck_assert_int_eq(aead_seal(aead, tag, secret_bytes, data, data, sizeof(data), tag), 0);
	}
	ck_assert_int_eq(hmac_of(HASH_SHA256, secret_bytes, &secret_bytes, 1, derived), 0);
	ck_assert_int_eq(hmac_of(HASH_SHA512, secret_bytes, &secret_bytes, 1, derived), 0);
	ck_assert_int_eq(hkdf_derive(secret_bytes, secret_bytes, "label", secret_bytes, derived, 64), 0);
	ck_assert_int_eq(x25519_public(secret, public), 0);
	ck_assert_int_eq(x25519_shared(secret, public, derived), 0);
	ck_assert_int_eq(ed25519_public(secret, public), 0);
	ck_assert_int_eq(ed25519_sign(secret, (struct bytes){"m", 1}, signature), 0);
	ck_assert_int_eq(argon2id(&cost, &input, derived + 32), 0);
	/* A constant or two of libgcrypt's own may have grown meanwhile, once. */
	ck_assert_uint_le(secrets_live(), live + 4);
	ck_assert_uint_eq(secrets_dirty(), 0);
	ck_assert_uint_eq(secrets_copies(secret, 32), 1);
	ck_assert_uint_eq(secrets_copies(derived, 32), 1);
	ck_assert_uint_eq(secrets_copies(derived + 32, 32), 1);
	secret_free(secret);
	secret_free(derived);
}
END_TEST

int main(int argc, char **argv)
{
	TCase *cases, *setup;
	SRunner *runner;
	Suite *suite;
	int failures;

	if (argc == 3 && strcmp(argv[1], "--init") == 0)
		return init_under(argv[2]);
	suite = suite_create("crypto");
	cases = tcase_create("crypto");
	setup = tcase_create("setup");
	runner = srunner_create(suite);
	tcase_add_loop_test(setup, what_is_missing_is_refused_with_the_reason, 0,
			     (int)ARRAY_LENGTH(conditions) - !SECRETS_CAN_LOCK);
	tcase_set_timeout(setup, 60);
	suite_add_tcase(suite, setup);
	tcase_add_checked_fixture(cases, begin, NULL);
	tcase_set_timeout(cases, 120);
	tcase_add_test(cases, suites_have_names);
	tcase_add_loop_test(cases, aead_vectors_fit, 0, (int)ARRAY_LENGTH(aead_vectors));
	tcase_add_test(cases, ocb_vector_fits);
	tcase_add_loop_test(cases, a_changed_bit_is_refused, SUITE_AES256_GCM, _SUITE_MAX);
	tcase_add_loop_test(cases, sealing_in_place_asks_for_no_memory, SUITE_AES256_GCM, _SUITE_MAX);
	tcase_add_test(cases, no_handle_without_memory_or_suite);
	tcase_add_test(cases, hash_vectors_fit);
	tcase_add_loop_test(cases, hmac_vectors_fit, 0, (int)ARRAY_LENGTH(hmac_vectors));
	tcase_add_loop_test(cases, hkdf_vectors_fit, 0, (int)ARRAY_LENGTH(hkdf_vectors));
	tcase_add_test(cases, labels_are_apart);
	tcase_add_loop_test(cases, x25519_vectors_fit, 0, (int)ARRAY_LENGTH(x25519_vectors));
	tcase_add_test(cases, x25519_makes_public_keys);
	tcase_add_test(cases, x25519_iterated_vectors_fit);
	tcase_add_loop_test(cases, points_of_low_order_are_refused, 0, (int)ARRAY_LENGTH(low_order));
	tcase_add_loop_test(cases, ed25519_vectors_fit, 0, (int)ARRAY_LENGTH(ed25519_vectors));
	tcase_add_test(cases, ed25519_refuses_what_was_changed);
	tcase_add_test(cases, ed25519_has_one_form);
	tcase_add_loop_test(cases, hostile_verifiers_are_refused, 0, 2 * (int)ARRAY_LENGTH(hostile_verifiers));
	tcase_add_test(cases, argon2id_vector_fits);
	tcase_add_loop_test(cases, argon2_costs_have_limits, 0, (int)ARRAY_LENGTH(costs));
	tcase_add_test(cases, argon2_without_memory_or_salt_is_refused);
	tcase_add_test(cases, no_copy_stays_behind);
	suite_add_tcase(suite, cases);
	srunner_run_all(runner, CK_ENV);
	failures = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failures ? 1 : 0;
}

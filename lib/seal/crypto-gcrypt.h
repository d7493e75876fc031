/* SPDX-License-Identifier: GPL-2.0-or-later */
/* For lib/seal/crypto*.c only, which are all that knows libgcrypt. */
#pragma once

#include "seal/crypto.h"

#include <gcrypt.h>

/* 0, -EBADMSG for a tag or signature that does not fit, -ENOMEM, or -EOPNOTSUPP. */
int gcrypt_errno(gcry_error_t error);

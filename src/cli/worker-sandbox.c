/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cli/worker-sandbox.h"

#include <errno.h>
#include <linux/capability.h>
#include <seccomp.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

/*
 * What is allowed, and why. Nothing here opens, creates or names anything: the worker works with the descriptors that it
 * has, and with memory.
 */
static const struct {
	int syscall;
	const char *reason;
} allowed[] = {
	{SCMP_SYS(readv), "pages from the snapshot"},
	{SCMP_SYS(writev), "pages to the snapshot"},
	{SCMP_SYS(write), "the last write to the snapshot, and the pipeline's eventfd"},
	{SCMP_SYS(pread64), "header and body of an image"},
	{SCMP_SYS(preadv), "chunks of an image"},
	{SCMP_SYS(pwrite64), "header and body of an image"},
	{SCMP_SYS(pwritev), "chunks of an image"},
	{SCMP_SYS(fdatasync), "the image is on the medium before DONE"},
	{SCMP_SYS(sendmsg), "messages to the daemon"},
	{SCMP_SYS(recvmsg), "messages from the daemon"},
	{SCMP_SYS(poll), "wait for the socket and the pipeline"},
	{SCMP_SYS(ppoll), "poll() where the architecture has no other"},
	{SCMP_SYS(futex), "threads wait for each other"},
	{SCMP_SYS(clock_gettime), "where the clock source has no vDSO"},
	{SCMP_SYS(clock_nanosleep), "try again after EBUSY"},
	{SCMP_SYS(close), "a descriptor that came with a wrong message"},
	{SCMP_SYS(rt_sigprocmask), "the C library, when a thread ends"},
	{SCMP_SYS(rt_sigreturn), "return from a signal"},
	{SCMP_SYS(restart_syscall), "a wait interrupted by stop and continue"},
	{SCMP_SYS(madvise), "the C library gives back the stack of a thread that ends; memory of keys is not for dumps and children"},
	{SCMP_SYS(munmap), "the same; memory of keys goes back, wiped"},
	{SCMP_SYS(mlock), "memory of keys is never in swap"},
	{SCMP_SYS(exit), "a thread ends"},
	{SCMP_SYS(exit_group), "the worker ends"},
#if ENABLE_FAILPOINTS
	{SCMP_SYS(getpid), "failpoint kill"},
	{SCMP_SYS(kill), "failpoint kill"},
	{SCMP_SYS(pause), "failpoint hang"},
#endif
};

/* 32-bit architectures give the arguments of mmap() in registers by this one. */
#ifdef __NR_mmap2
#define MAP_CALL SCMP_SYS(mmap2)
#else
#define MAP_CALL SCMP_SYS(mmap)
#endif

/*
 * Keys need pages of their own, and Argon2 as much as the image says, which is known only when the sandbox has closed.
 * Nothing but private memory of zeros is to be had: no descriptor, nothing that runs.
 */
static int allow_memory(scmp_filter_ctx filter)
{
	return seccomp_rule_add(filter, SCMP_ACT_ALLOW, MAP_CALL, 3,
				SCMP_A2(SCMP_CMP_EQ, PROT_READ | PROT_WRITE),
				SCMP_A3(SCMP_CMP_EQ, MAP_PRIVATE | MAP_ANONYMOUS),
				SCMP_A4(SCMP_CMP_MASKED_EQ, UINT32_MAX, UINT32_MAX));
}

static int check_ids(uid_t uid, struct failure *f)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = {0};
	uid_t real, effective, saved;

	getresuid(&real, &effective, &saved);
	if (uid == 0)
		return failure_set(f, REASON_WORKER, EPERM, NULL, NULL, "the worker must not run as root");
	if (real != uid || effective != uid || saved != uid)
		return failure_set(f, REASON_WORKER, EPERM, NULL, NULL, "the worker is user %u/%u/%u and must be %u", real, effective, saved, uid);
	if (syscall(SYS_capget, &header, data) < 0)
		return failure_set(f, REASON_WORKER, errno, NULL, NULL, "cannot ask for the worker's capabilities");
	for (size_t i = 0; i < ARRAY_LENGTH(data); i++)
		if (data[i].effective | data[i].permitted | data[i].inheritable)
			return failure_set(f, REASON_WORKER, EPERM, NULL, NULL, "the worker still has capabilities (%08x)", data[i].permitted);
	return 0;
}

int worker_drop(uid_t uid, struct failure *f)
{
	int r = check_ids(uid, f);

	if (r < 0)
		return r;
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return failure_set(f, REASON_WORKER, errno, NULL, NULL, "cannot give up new privileges");
	if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
		return failure_set(f, REASON_WORKER, errno, NULL, NULL, "cannot turn off core dumps");
	return 0;
}

int worker_sandbox(struct failure *f)
{
	scmp_filter_ctx filter;
	int r;

	if (!WORKER_SANDBOX)
		return 0;
	filter = seccomp_init(SCMP_ACT_KILL_PROCESS);
	r = filter ? seccomp_attr_set(filter, SCMP_FLTATR_CTL_TSYNC, 1) : -ENOMEM;

	for (size_t i = 0; !r && i < ARRAY_LENGTH(allowed); i++)
		if (allowed[i].syscall >= 0)
			r = seccomp_rule_add(filter, SCMP_ACT_ALLOW, allowed[i].syscall, 0);
	if (!r)
		r = allow_memory(filter);
	if (!r)
		r = seccomp_load(filter);
	/* Not released: free() could give memory back by calls that are no longer allowed. */
	if (r)
		return failure_set(f, REASON_WORKER, -r, NULL, NULL, "cannot close the sandbox");
	return 0;
}

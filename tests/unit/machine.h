/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A whole machine for the state machines of the daemon: a made-up system tree with one swap partition
 * (/dev/vda2) and an ext4 (/dev/vda1), the fake kernel below /dev/snapshot, and the worker's own code in a forked
 * child. What a hibernation writes is a real image in the file that stands for the partition.
 *
 * A run happens in a process of its own, which ends where a real one would stop: when it returns, when the machine
 * is powered off or restarted, when the image is entered, or when it is killed. The kernel's state lies in shared memory
 * and outlives it. Rules that only somebody who sees kernel, disk and processes together can check are checked at
 * every ioctl and counted as violations of the fake kernel:
 *
 *   - the guard may thaw under an armed mark when it keeps the slots
 *   - no child of the session lives from before FREEZE, or at the thaw, or at the last close
 *   - the mark is armed when the machine leaves, and all signals are blocked; when slots or image are given back, and at
 *     the thaw, it is not armed (saving), or leads to no header, and is not in progress (resuming)
 *   - slots, image and freeze are undone by the session itself and not by the last close
 *   - the mark is in progress, with the swap signature in place, when the image is entered
 *   - nothing of the tree's settings has changed and no descriptor is open when a run returns
 */
#pragma once

#include "area/mark.h"
#include "daemon/hibernate.h"
#include "daemon/resume.h"
#include "fake-kernel.h"
#include "tree.h"

enum machine_end {
	MACHINE_RUNS = 10, /* the run returned: this system goes on */
	MACHINE_OFF,       /* powered off, or restarted */
	MACHINE_ENTERED,   /* the image was entered */
	MACHINE_KILLED,    /* by a signal */
};

/* Survives the process of a run. */
struct machine_state {
	struct fake_kernel kernel;
	struct session_report report; /* of a hibernation that returned */
	struct failure failure;       /* of a resume that returned */
	int reboot_command;           /* the last one, 0: none */
	unsigned int reboots;
	unsigned int workers;         /* started so far */
	unsigned int tpm_jobs[3];     /* by kind */
	unsigned int flushes;         /* of the disk, but for the worker's */
	unsigned int calls[256];      /* ioctls, by their number */
};

struct machine {
	struct tree tree;
	struct machine_state *state;
	struct fake_kernel *kernel;   /* in @state */
	int disk;                     /* the file that stands for the partition */
	int keys;                     /* the writing end of an input device with a power key */
	int console;                  /* the writing end of what is typed at the console */
	int terminal;                 /* where a resume asks for a secret; 0: nowhere */

	/* Knobs. */
	unsigned long at;             /* before this ioctl... */
	unsigned int at_skip;         /* ...after so many of it... */
	void (*action)(struct machine *m); /* ...this is done, once a run, in the process of the run */
	void (*sync)(struct machine *m);   /* instead of writing out files, in the child that does that */
	/* In the worker's process, before its own code; may end it. @job is shared with the session. */
	void (*worker)(struct machine *m, int socket, struct worker_job *job);
	unsigned int worker_times;    /* how many workers do that; 0: all */
	void (*overstep)(void);       /* a system call that the worker tries in the middle of its work... */
	bool overstep_moving;         /* ...in the thread that moves pages, else in the main one */
	/* What the TPM does with a job, in the process of the run; NULL: nothing can be started that asks it. */
	int (*tpm)(struct machine *m, struct tpm_job *job);
	int lock_error;               /* of mlockall(), negative errno */
	int reboot_error;             /* of reboot(), negative errno; 1: comes back with success */
	unsigned int reboot_returns;  /* the first so many reboots come back with success */
	int write_error;              /* of a write to the mark, negative errno... */
	int flush_error;              /* ...or of its flush... */
	unsigned int fault_skip;      /* ...after so many of them... */
	unsigned int fault_times;     /* ...so often */
	unsigned int guard_faults;    /* the first so many writes of the guard fail */

	/* For actions: the run. */
	struct hibernation *hibernation;
	struct resume *resume;
	pid_t pid;
};

/* A machine in good health, 600 pages of memory to save. */
void machine_init(struct machine *m);
void machine_deinit(struct machine *m);

/* Hibernate, or resume, in a process of its own. */
enum machine_end machine_hibernate(struct machine *m, enum session_kind kind);
enum machine_end machine_boot(struct machine *m);

/* Another boot: boot id and kernel state as after power-on. */
void machine_power_on(struct machine *m, unsigned int boot);

/* What lies on the swap partition. */
void machine_mark(struct machine *m, struct mark *mark);
/* Whether there is anything where @mark says that the image's header page is. */
bool machine_has_header(struct machine *m, const struct mark *mark);
void machine_write(struct machine *m, uint64_t position, const void *data, size_t size);
void machine_read(struct machine *m, uint64_t position, void *data, size_t size);

/* How often @request was made. */
unsigned int machine_count(const struct machine *m, unsigned long request);

/* The @skip+1st call of @request fails with @error (negative), @times times. */
void machine_fault(struct machine *m, unsigned long request, int error, unsigned int skip, unsigned int times);

/* In a stand-in for the worker: wait for a message of @type; anything else ends the process. */
void machine_hear(int socket, enum worker_message_type type);

/* Actions. */
void machine_press_power(struct machine *m);
void machine_swapoff(struct machine *m);
void machine_kill_session(struct machine *m);

/* What a sandbox must not let through, from each kind of thread. */
#define MACHINE_OVERSTEPS 8
extern const struct machine_overstep {
	const char *what;
	void (*call)(void);
	bool moving;
} machine_oversteps[MACHINE_OVERSTEPS];
void machine_let_overstep(struct machine *m, const struct machine_overstep *what);

/* Whether the daemon has logged @words. */
bool machine_said(struct machine *m, const char *words);

/* Say in /proc/swaps that @used KiB are in use. */
void machine_set_used(struct machine *m, unsigned int used);

/* The mark is not armed, slots, image and processes are gone, user space runs, and no rule was broken. */
void machine_check_undone(struct machine *m, const char *what);

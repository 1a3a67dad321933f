/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * Between fork() and exec() only system calls are made: other threads may
 * have held any lock when the process was copied.
 */
#include "core/child.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/err.h"
#include "core/fd.h"

/* How long a killed process may take before it is left to itself: one that
 * waits for a broken disk does not die. */
#define KILLED_MS 2000

/* Output that is taken at once. */
#define READ_MAX KIB(16)

/* What a filter of system calls is asked about. */
#if defined(__x86_64__)
#define THIS_ARCH AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define THIS_ARCH AUDIT_ARCH_AARCH64
#endif
#define X32_BIT UINT32_C(0x40000000)

/* What a child that cannot go on tells its parent. */
struct failure {
	int step; /* index into step_text */
	int error;
};

enum step { STEP_SETUP, STEP_USER, STEP_MOUNT, STEP_NETWORK, STEP_EXEC };

static const char *const step_text[] = {
	[STEP_SETUP] = "cannot be prepared",
	[STEP_USER] = "cannot have a user namespace",
	[STEP_MOUNT] = "cannot be kept from writing",
	[STEP_NETWORK] = "cannot be kept from the network",
	[STEP_EXEC] = "cannot be executed",
};

/* What is known before the fork. */
struct plan {
	const struct child_config *config;
	pid_t parent;
	int output, status; /* write ends */
	char uid_map[32], gid_map[32];
};

char *child_find(const char *name)
{
	const char *dir = getenv("PATH");

	while (dir && *dir) {
		const size_t len = strcspn(dir, ":");
		char *path;

		if (len > 0 &&
		    asprintf(&path, "%.*s/%s", (int)len, dir, name) >= 0) {
			if (access(path, X_OK) == 0)
				return path;
			free(path);
		}
		dir += len;
		dir += *dir == ':';
	}
	return NULL;
}

void child_init(struct child *c)
{
	*c = (struct child){.output = -1};
}

/*
 * In the child.
 */

__attribute__((noreturn)) static void give_up(const struct plan *p,
					      enum step step)
{
	const struct failure f = {.step = step, .error = errno};
	/* If nobody listens there is nobody to tell. */
	ssize_t n = write(p->status, &f, sizeof(f));

	(void)n;
	_exit(127);
}

static bool write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	bool ok = fd >= 0 && write(fd, text, strlen(text)) >= 0;

	if (fd >= 0)
		close(fd);
	return ok;
}

static bool filter(struct sock_filter *code, unsigned short len)
{
	const struct sock_fprog prog = {.len = len, .filter = code};

	return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &prog) == 0;
}

/*
 * Whoever has no privileges cannot drop groups in a user namespace, and
 * servers that try so end when they fail.  The groups are the user's own and
 * stay.
 */
static bool pretend_setgroups(void)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
			 offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_setgroups, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};

	return filter(code, ARRAY_SIZE(code));
}

/* Other system call tables (32 bits, x32) have their own ways to a socket, and
 * an io_uring makes them unseen. */
static bool forbid_network(void)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
			 offsetof(struct seccomp_data, arch)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, THIS_ARCH, 0, 7),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
			 offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, X32_BIT, 5, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_io_uring_setup, 4, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_socket, 0, 2),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
			 offsetof(struct seccomp_data, args[0])),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, AF_UNIX, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EACCES),
	};

	return filter(code, ARRAY_SIZE(code));
}

static void enter_user_namespace(const struct plan *p)
{
	if (unshare(CLONE_NEWUSER) < 0 ||
	    !write_file("/proc/self/setgroups", "deny") ||
	    !write_file("/proc/self/uid_map", p->uid_map) ||
	    !write_file("/proc/self/gid_map", p->gid_map) ||
	    !pretend_setgroups())
		give_up(p, STEP_USER);
}

static void mount_readonly(const struct plan *p)
{
	struct mount_attr readonly = {.attr_set = MOUNT_ATTR_RDONLY};

	if (unshare(CLONE_NEWNS) < 0 ||
	    mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
	    mount_setattr(AT_FDCWD, "/", AT_RECURSIVE, &readonly,
			  sizeof(readonly)) < 0)
		give_up(p, STEP_MOUNT);
}

static void set_signals(void)
{
	sigset_t none;

	sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
	(void)signal(SIGPIPE, SIG_DFL);
	(void)signal(SIGXFSZ, SIG_DFL);
}

/* dup2() of a descriptor to itself would keep its close-on-exec flag. */
static bool move_fd(int from, int to)
{
	if (from == to)
		return fcntl(from, F_SETFD, 0) == 0;
	return dup2(from, to) == to;
}

static bool set_files(const struct plan *p)
{
	int null = open("/dev/null", O_RDONLY | O_CLOEXEC);

	return null >= 0 && move_fd(null, 0) && move_fd(p->output, 1) &&
	       dup2(1, 2) == 2 &&
	       (p->config->pass_fd < 0 ||
		move_fd(p->config->pass_fd, CHILD_FD));
}

/* None of the descriptors we still need may be in the way of 0 to 3. */
static int out_of_the_way(int fd)
{
	return fcntl(fd, F_DUPFD_CLOEXEC, CHILD_FD + 1);
}

__attribute__((noreturn)) static void run(struct plan *p)
{
	const char *const *argv = p->config->argv;
	char **args;

	p->status = out_of_the_way(p->status);
	p->output = out_of_the_way(p->output);
	if (p->output < 0 || setpgid(0, 0) < 0 ||
	    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		give_up(p, STEP_SETUP);
	set_signals();
	fd_raise_limit(); /* for the files of a shared directory */
	if (p->config->flags & CHILD_USER_NAMESPACE)
		enter_user_namespace(p);
	if (p->config->flags & CHILD_READONLY)
		mount_readonly(p);
	if (p->config->flags & CHILD_NO_NETWORK && !forbid_network())
		give_up(p, STEP_NETWORK);
	/* After the change of credentials, which forgets it. */
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || !set_files(p))
		give_up(p, STEP_SETUP);
	if (getppid() != p->parent)
		_exit(127);
	/* execv() changes no strings. */
	memcpy(&args, &argv, sizeof(args));
	execv(argv[0], args);
	give_up(p, STEP_EXEC);
}

/*
 * In the parent.
 */

static int make_pipe(int *ret_read, int *ret_write)
{
	int fds[2];

	if (pipe2(fds, O_CLOEXEC) < 0)
		return -errno;
	*ret_read = fds[0];
	*ret_write = fds[1];
	return 0;
}

/* A namespace has other ids than its parent only if we are not root. */
static void plan_maps(struct plan *p)
{
	snprintf(p->uid_map, sizeof(p->uid_map), "0 %u 1", geteuid());
	snprintf(p->gid_map, sizeof(p->gid_map), "0 %u 1", getegid());
}

/* Return: 0 once it has been executed; -errno. */
static int wait_for_exec(struct child *c, int status, const char *program,
			 struct err *err)
{
	struct failure f;
	ssize_t n;

	do
		n = read(status, &f, sizeof(f));
	while (n < 0 && errno == EINTR);
	if (n == 0)
		return 0;
	(void)child_ended(c, KILLED_MS);
	if (n != sizeof(f) || f.step < 0 || f.step > STEP_EXEC)
		return err_set(err, EIO, "'%s' cannot be started", program);
	return err_errno(err, f.error, "'%s' %s", program, step_text[f.step]);
}

int child_start(struct child *c, const struct child_config *config,
		struct err *err)
{
	AUTO_CLOSE int output = -1;
	AUTO_CLOSE int output_end = -1;
	AUTO_CLOSE int status = -1;
	AUTO_CLOSE int status_end = -1;
	struct plan p = {.config = config, .parent = getpid()};
	int r = make_pipe(&output, &output_end);

	if (r == 0)
		r = make_pipe(&status, &status_end);
	/* Neither side waits for the other because of a few lines. */
	if (r == 0 && (fcntl(output, F_SETFL, O_NONBLOCK) < 0 ||
		       fcntl(output_end, F_SETFL, O_NONBLOCK) < 0))
		r = -errno;
	if (r == 0) {
		plan_maps(&p);
		p.output = output_end;
		p.status = status_end;
		c->pid = fork();
		if (c->pid < 0)
			r = -errno;
	}
	if (r < 0) {
		child_init(c);
		return err_errno(err, -r, "'%s' cannot be started",
				 config->argv[0]);
	}
	if (c->pid == 0)
		run(&p);
	close(take_fd(&status_end));
	r = wait_for_exec(c, status, config->argv[0], err);
	if (r < 0) {
		child_stop(c, 0);
		return r;
	}
	c->output = take_fd(&output);
	return 0;
}

/* @byte of what it prints; control characters are not for our terminal. */
static void take_byte(struct child *c, char byte)
{
	if (byte == '\n' || byte == '\r') {
		if (c->len > 0) {
			memcpy(c->line, c->partial, c->len);
			c->line[c->len] = '\0';
		}
		c->len = 0;
		return;
	}
	/* The end of a long one is what explains. */
	if (c->len == sizeof(c->partial) - 1)
		memmove(c->partial, c->partial + 1, --c->len);
	c->partial[c->len++] = byte < ' ' || byte > '~' ? '?' : byte;
}

bool child_read(struct child *c)
{
	char buf[1024];

	for (size_t done = 0; c->output >= 0 && done < READ_MAX;) {
		ssize_t n = read(c->output, buf, sizeof(buf));

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			return true;
		if (n <= 0) {
			take_byte(c, '\n');
			return false;
		}
		for (ssize_t i = 0; i < n; i++)
			take_byte(c, buf[i]);
		done += (size_t)n;
	}
	return c->output >= 0;
}

/* Whether it has ended; its zombie stays, and with it its number. */
static bool look(struct child *c)
{
	siginfo_t info = {0};

	if (c->pid == 0 || c->ended)
		return true;
	/* An error means that somebody else has waited for it. */
	if (waitid(P_PID, (id_t)c->pid, &info, WEXITED | WNOHANG | WNOWAIT) ==
		    0 &&
	    info.si_pid == 0)
		return false;
	c->ended = true;
	c->killed = info.si_code != CLD_EXITED;
	c->status = info.si_status;
	return true;
}

bool child_ended(struct child *c, unsigned timeout_ms)
{
	struct pollfd p = {.events = POLLIN};

	if (look(c))
		return true;
	if (timeout_ms == 0)
		return false;
	p.fd = (int)syscall(SYS_pidfd_open, c->pid, 0);
	if (p.fd >= 0) {
		(void)poll(&p, 1, (int)timeout_ms);
		close(p.fd);
	}
	return look(c);
}

void child_explain(struct child *c, char *text, size_t size)
{
	char how[48] = "still runs";

	while (c->output >= 0 && child_read(c)) {
		struct pollfd p = {.fd = c->output, .events = POLLIN};

		if (poll(&p, 1, 0) <= 0)
			break;
	}
	if (look(c))
		snprintf(how, sizeof(how), "%s %d",
			 c->killed ? "was killed by signal"
				   : "ended with status",
			 c->status);
	snprintf(text, size, "%s%s%s", how, c->line[0] ? ": " : "", c->line);
}

void child_ask(struct child *c)
{
	if (c->pid > 0 && !c->ended)
		(void)kill(c->pid, SIGTERM);
}

void child_stop(struct child *c, unsigned grace_ms)
{
	if (c->pid > 0) {
		(void)child_ended(c, grace_ms);
		/* What it started itself may still be there. */
		(void)kill(-c->pid, SIGKILL);
		if (child_ended(c, KILLED_MS))
			(void)waitpid(c->pid, NULL, 0);
	}
	if (c->output >= 0)
		close(c->output);
	child_init(c);
}

/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
#include "tools/nested/room.h"

#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define ROOT ROOM_MOUNT "/root"

static void report(int control, enum room_event event, int value,
		   const char *text)
{
	struct room_report r = {.event = event, .value = value};

	snprintf(r.text, sizeof(r.text), "%s", text);
	if (send(control, &r, sizeof(r), MSG_NOSIGNAL) < 0)
		_exit(1);
}

__attribute__((format(printf, 3, 4))) static _Noreturn void
fail(int control, int status, const char *fmt, ...)
{
	char text[sizeof(((struct room_report *)0)->text)];
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	report(control, ROOM_FAILED, status, text);
	_exit(1);
}

static void make_dirs(const char *path)
{
	char *part = strdup(path);

	for (char *p = part ? part + 1 : NULL; p && *p; p++) {
		if (*p != '/')
			continue;
		*p = '\0';
		mkdir(part, 0755);
		*p = '/';
	}
	mkdir(path, 0755);
	free(part);
}

static void mount_in(int control, const char *what, const char *type,
		     const char *place, unsigned long flags,
		     const char *options)
{
	make_dirs(place);
	if (mount(what, place, type, flags, options) < 0)
		fail(control, 125, "nested host: cannot mount %s on '%s': %s",
		     type ? type : what, place, strerror(errno));
}

static void share(int control, const char *dir)
{
	char *from, *to;

	if (asprintf(&from, ROOM_HOST_RW "%s", dir) < 0 ||
	    asprintf(&to, ROOT "%s", dir) < 0)
		fail(control, 125, "nested host: no memory");
	mount_in(control, from, NULL, to, MS_BIND, NULL);
	free(from);
	free(to);
}

static void build(const struct room_job *job, int control)
{
	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		fail(control, 125, "nested host: cannot unshare the mounts");
	mount_in(control, "tmpfs", "tmpfs", ROOM_MOUNT, 0, "size=90%");
	make_dirs(ROOM_MOUNT "/upper");
	make_dirs(ROOM_MOUNT "/work");
	mount_in(control, "overlay", "overlay", ROOT, 0,
		 "lowerdir=" ROOM_HOST_RO ",upperdir=" ROOM_MOUNT
		 "/upper,workdir=" ROOM_MOUNT "/work,volatile");
	mount_in(control, "proc", "proc", ROOT "/proc", 0, NULL);
	mount_in(control, "sysfs", "sysfs", ROOT "/sys", 0, NULL);
	mount_in(control, "/dev", NULL, ROOT "/dev", MS_BIND, NULL);
	mount_in(control, "devpts", "devpts", ROOT "/dev/pts", 0,
		 "newinstance,ptmxmode=0666,mode=0620");
	mount_in(control, "shm", "tmpfs", ROOT "/dev/shm", 0, "mode=1777");
	mount_in(control, "run", "tmpfs", ROOT "/run", 0, "mode=0755");
	for (char **s = job->shares; *s; s++)
		share(control, *s);
	if (chdir(ROOT) < 0 || mount(".", "/", NULL, MS_MOVE, NULL) < 0 ||
	    chroot(".") < 0)
		fail(control, 125, "nested host: cannot enter the root: %s",
		     strerror(errno));
	if (chdir(job->cwd) < 0)
		fail(control, 125, "nested host: cannot enter '%s': %s",
		     job->cwd, strerror(errno));
}

static void bring_up_loopback(void)
{
	struct ifreq req = {.ifr_name = "lo", .ifr_flags = IFF_UP};
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	ioctl(fd, SIOCSIFFLAGS, &req);
	close(fd);
}

static void write_text(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0)
		return;
	if (write(fd, text, strlen(text)) < 0)
		fprintf(stderr, "cannot write %s\n", path);
	close(fd);
}

static _Noreturn void run(const struct room_job *job, int exec_result)
{
	const struct rlimit files = {1024, 1u << 20};
	sigset_t none;

	setsid();
	for (int i = 0; i < 3; i++)
		dup2(job->fds[i], i);
	write_text("/proc/self/oom_score_adj", "0");
	setpriority(PRIO_PROCESS, 0, 0);
	setrlimit(RLIMIT_NOFILE, &files);
	for (int i = 1; i < NSIG; i++)
		signal(i, SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	environ = job->envp;
	execvp(job->argv[0], job->argv);
	if (write(exec_result, &errno, sizeof(errno)) < 0)
		_exit(125);
	_exit(127);
}

/* The command, once exec has worked; the room fails if it does not. */
static pid_t start_command(const struct room_job *job, int control)
{
	int result[2], error = 0;
	pid_t pid;

	if (pipe2(result, O_CLOEXEC) < 0 || (pid = fork()) < 0)
		fail(control, 125, "nested host: cannot start a process: %s",
		     strerror(errno));
	if (!pid)
		run(job, result[1]);
	close(result[1]);
	if (read(result[0], &error, sizeof(error)) == sizeof(error))
		fail(control, error == ENOENT ? 127 : 126,
		     "cannot run '%s': %s", job->argv[0], strerror(error));
	close(result[0]);
	for (int i = 0; i < 3; i++)
		close(job->fds[i]);
	return pid;
}

static void reap(pid_t command, int control)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		if (pid != command)
			continue;
		report(control, ROOM_EXITED, status, "");
		_exit(0); /* and the kernel ends all others in the room */
	}
}

/* Other ends of the command's pipes must not stay open here. */
static void close_others(const struct room_job *job, int control)
{
	for (int fd = 3; fd < 256; fd++) {
		if (fd != control && fd != job->fds[0] && fd != job->fds[1] &&
		    fd != job->fds[2])
			close(fd);
	}
}

static _Noreturn void room_init(const struct room_job *job, int control)
{
	struct pollfd fds[2] = {{.fd = control, .events = POLLIN},
				{.events = POLLIN}};
	struct signalfd_siginfo info;
	uint8_t number;
	sigset_t child;
	pid_t command;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	close_others(job, control);
	if (unshare(CLONE_NEWNS | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS) <
	    0)
		fail(control, 125, "nested host: no namespaces: %s",
		     strerror(errno));
	build(job, control);
	bring_up_loopback();
	sigemptyset(&child);
	sigaddset(&child, SIGCHLD);
	sigprocmask(SIG_SETMASK, &child, NULL);
	fds[1].fd = signalfd(-1, &child, SFD_CLOEXEC | SFD_NONBLOCK);
	command = start_command(job, control);
	report(control, ROOM_STARTED, 0, "");
	for (;;) {
		poll(fds, 2, -1);
		if (read(fds[1].fd, &info, sizeof(info)) > 0)
			reap(command, control);
		if (!fds[0].revents)
			continue;
		if (recv(control, &number, 1, MSG_DONTWAIT) != 1)
			_exit(0);
		kill(-command, number);
	}
}

pid_t room_start(const struct room_job *job, int control)
{
	pid_t pid;

	if (unshare(CLONE_NEWPID) < 0)
		return -errno;
	pid = fork();
	if (!pid)
		room_init(job, control);
	return pid < 0 ? -errno : pid;
}

/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
#include <asm/errno.h>
#include <asm/fcntl.h>
#include <asm/ioctls.h>
#include <asm/signal.h>

#include "vmm/guest-init/init.h"
#include "vmm/guest-init/sys.h"
#include "vmm/guest-init/text.h"

#define DEFAULT_PATH \
	"/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
#define SIGNALS 64

/* As the kernel has it; all of it zero is SIG_DFL. */
struct action {
	unsigned long handler, flags, restorer, mask;
};

/*
 * Streams.
 */

static void open_terminal(struct child *c, const char *size, int *ret_slave)
{
	struct text path = {.len = 0};
	unsigned number = 0;
	int unlock = 0;
	long r;

	c->master = (int)sys_open("/dev/ptmx",
				  O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
	if (c->master < 0)
		fail("cannot make a terminal", "", c->master);
	r = sys_ioctl(c->master, TIOCSPTLCK, &unlock);
	if (r == 0)
		r = sys_ioctl(c->master, TIOCGPTN, &number);
	if (r < 0)
		fail("cannot make a terminal", "", r);
	text_put(&path, "/dev/pts/");
	text_put_number(&path, number);
	*ret_slave = (int)sys_open(path.at, O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (*ret_slave < 0)
		fail("cannot open", path.at, *ret_slave);
	if (size)
		terminal_resize(c->master, size);
}

/* @ours: which end of the pipe we keep; ours alone does not block */
static int open_pipe(unsigned ours, int *ret_theirs)
{
	int fds[2];
	long r = SYS2(__NR_pipe2, fds, O_CLOEXEC);

	if (r == 0)
		r = SYS3(__NR_fcntl, fds[ours], F_SETFL, O_NONBLOCK);
	if (r < 0)
		fail("cannot make a pipe", "", r);
	*ret_theirs = fds[!ours];
	return fds[ours];
}

/*
 * In the child.
 */

static void say(const char *name, long error)
{
	struct text t = {.len = 0};

	text_put(&t, "moat: ");
	text_put(&t, name);
	text_put(&t, ": ");
	text_put(&t, error_text(error));
	text_put(&t, "\n");
	(void)sys_write(2, t.at, t.len);
}

static void signals_as_new(void)
{
	const struct action none = {0};
	const unsigned long nothing = 0;

	for (int i = 1; i <= SIGNALS; i++)
		(void)SYS4(__NR_rt_sigaction, i, &none, 0, sizeof(nothing));
	(void)SYS4(__NR_rt_sigprocmask, SIG_SETMASK, &nothing, 0,
		   sizeof(nothing));
}

static void become(const struct user *u)
{
	long r = SYS2(__NR_setgroups, u->ngroups, u->groups);

	if (r == 0)
		r = SYS1(__NR_setgid, u->gid);
	if (r == 0)
		r = SYS1(__NR_setuid, u->uid);
	if (r < 0) {
		say("cannot become the user", r);
		sys_exit(126);
	}
}

static const char *env(const struct plan *p, const char *key)
{
	for (unsigned i = 0; i < p->envc; i++) {
		const char *rest = text_behind(p->envp[i], key);

		if (rest && *rest == '=')
			return rest + 1;
	}
	return NULL;
}

static long execute(const struct plan *p, const char *path)
{
	return SYS3(__NR_execve, path, p->argv, p->envp);
}

static long execute_in_path(const struct plan *p, const char *path)
{
	long worst = -ENOENT;

	for (;;) {
		const char *colon = text_find(path, ':');
		struct text t = {.len = 0};
		long r;

		text_put_len(&t, path, (size_t)(colon - path));
		text_put(&t, "/");
		text_put(&t, p->argv[0]);
		r = execute(p, t.at);
		if (r != -ENOENT && r != -ENOTDIR)
			worst = r;
		if (!*colon)
			return worst;
		path = colon + 1;
	}
}

__attribute__((noreturn)) static void run_command(const struct plan *p)
{
	const char *path = env(p, "PATH");
	long r;

	if (!*p->argv[0]) /* no folder of PATH */
		r = -ENOENT;
	else if (*text_find(p->argv[0], '/'))
		r = execute(p, p->argv[0]);
	else
		r = execute_in_path(p, path ? path : DEFAULT_PATH);
	say(p->argv[0], r);
	sys_exit(r == -ENOENT ? 127 : 126);
}

__attribute__((noreturn)) static void child_main(const struct plan *p,
						 const struct user *u,
						 const int *fds, int slave)
{
	(void)SYS0(__NR_setsid);
	if (slave >= 0)
		(void)sys_ioctl(slave, TIOCSCTTY, 0);
	for (int i = 0; i < 3; i++)
		(void)SYS3(__NR_dup3, fds[i], i, 0);
	signals_as_new();
	become(u);
	run_command(p);
}

/*
 * In ours.
 */

static char home[300], name[100], logname[100];

static void put_env(struct plan *p, char *at, size_t cap, const char *key,
		    const char *value)
{
	struct text t = {.len = 0};

	if (env(p, key) || !*value)
		return;
	text_put(&t, key);
	text_put(&t, "=");
	text_put(&t, value);
	if (t.len >= cap)
		return;
	memcpy(at, t.at, t.len + 1);
	p->envp[p->envc++] = at;
}

static void complete_env(struct plan *p, const struct user *u)
{
	if (!env(p, "PATH"))
		p->envp[p->envc++] = "PATH=" DEFAULT_PATH;
	put_env(p, home, sizeof(home), "HOME", u->home);
	put_env(p, name, sizeof(name), "USER", u->name);
	put_env(p, logname, sizeof(logname), "LOGNAME", u->name);
	p->envp[p->envc] = NULL;
}

static void close_theirs(const int *fds, int slave)
{
	for (int i = 0; i < 3; i++) {
		if (fds[i] != slave)
			sys_close(fds[i]);
	}
	if (slave >= 0)
		sys_close(slave);
}

void child_start(struct child *c, struct plan *p)
{
	static struct user u;
	int fds[3], slave = -1;
	long r;

	user_find(&u, p->user ? p->user : "root");
	complete_env(p, &u);
	r = SYS1(__NR_chdir, p->cwd ? p->cwd : "/");
	if (r < 0)
		fail("cannot change to the directory", p->cwd, r);
	*c = (struct child){.master = -1, .in = -1, .out = -1, .err = -1};
	if (p->tty)
		open_terminal(c, p->size, &slave);
	fds[0] = fds[1] = fds[2] = slave;
	if (!(p->tty & LAUNCH_TTY_IN))
		c->in = open_pipe(1, &fds[0]);
	if (!(p->tty & LAUNCH_TTY_OUT))
		c->out = open_pipe(0, &fds[1]);
	if (!(p->tty & LAUNCH_TTY_ERR))
		c->err = open_pipe(0, &fds[2]);
	r = SYS0(__NR_fork);
	if (r < 0)
		fail("cannot start the command", "", r);
	if (r == 0)
		child_main(p, &u, fds, slave);
	c->pid = (int)r;
	close_theirs(fds, slave);
}

/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
#include "vmm/launch/junit.h"

#include <stdbool.h>
#include <string.h>

static void put_escaped(const char *s, FILE *out)
{
	for (; *s; s++) {
		const unsigned char c = (unsigned char)*s;

		if (c == '<')
			fputs("&lt;", out);
		else if (c == '>')
			fputs("&gt;", out);
		else if (c == '&')
			fputs("&amp;", out);
		else if (c == '"')
			fputs("&quot;", out);
		else if (c == '\n')
			fputs("&#10;", out);
		else if (c < 0x20 || c >= 0x7f)
			fputc('?', out);
		else
			fputc(c, out);
	}
}

static void put_command(const char *const *words, FILE *out)
{
	for (size_t i = 0; words[i]; i++) {
		if (i > 0)
			fputc(' ', out);
		put_escaped(words[i], out);
	}
}

/* A command that failed is a failure, all else an error. */
static void put_verdict(const struct junit *j, FILE *out)
{
	const char *tag = j->trouble ? "error" : "failure";

	fprintf(out, "    <%s type=\"%s\" message=\"", tag,
		j->trouble ? j->trouble : "status");
	if (j->trouble && j->text)
		put_escaped(j->text, out);
	else
		fprintf(out, "exit status %d", j->status);
	fprintf(out, "\"/>\n");
}

void junit_write(const struct junit *j, FILE *out)
{
	const bool bad = j->trouble || j->status != 0;

	fprintf(out,
		"<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
		"<testsuite name=\"moat\" tests=\"1\" failures=\"%d\" "
		"errors=\"%d\" time=\"%.3f\">\n"
		"  <properties>\n    <property name=\"kernel\" value=\"",
		!j->trouble && j->status != 0, j->trouble != NULL, j->seconds);
	put_escaped(j->kernel, out);
	fprintf(out,
		"\"/>\n    <property name=\"status\" value=\"%d\"/>\n"
		"  </properties>\n"
		"  <testcase classname=\"moat.run\" name=\"",
		j->status);
	put_command(j->command, out);
	fprintf(out, "\" time=\"%.3f\"%s\n", j->seconds, bad ? ">" : "/>");
	if (bad) {
		put_verdict(j, out);
		fputs("  </testcase>\n", out);
	}
	fputs("</testsuite>\n", out);
}

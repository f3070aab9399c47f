// SPDX-License-Identifier: GPL-2.0
/*
 * Part of the fuzzer (fuzz.h). The errnos that d2d.h and d2d_event.h document for each exported
 * function, and counts of calls, handles and results. -ENODEV is left out: the owner stays loaded.
 */
#include <linux/errno.h>

#include "fuzz.h"

#define MOST_ERRNOS	24

static const struct {
	const char *name;
	bool takes_handle;
} exported[FUZZ_CALLS] = { FUZZ_EXPORTED };

static const int documented[FUZZ_CALLS][MOST_ERRNOS] = {
	[FUZZ_REGISTER] = {
		EFAULT, EBADMSG, EPROTO, EMSGSIZE, EBADE, ENAMETOOLONG, EINVAL, ENOEXEC,
		ENOTUNIQ, ENFILE, ESHUTDOWN },
	/* The fuzzer's drivers complete handshakes with EPERM and ENXIO. */
	[FUZZ_ATTACH] = {
		ESTALE, ESHUTDOWN, EALREADY, EBUSY, EINPROGRESS, EFAULT, EPROTO, EMSGSIZE, EBADR,
		EXDEV, ENOEXEC, EIO, ETIMEDOUT, ECANCELED, ENOMEM, EAGAIN, EPERM, ENXIO },
	[FUZZ_DETACH] = { EDEADLK, ESTALE, ENOTCONN, EALREADY },
	[FUZZ_LEAVE] = { ESTALE },
	[FUZZ_UNREGISTER] = { EDEADLK, ESTALE, EBUSY, EALREADY },
	[FUZZ_LOOKUP] = { EFAULT, ENAMETOOLONG, ENOENT },
	[FUZZ_REQUEST_ALLOC] = {
		EFAULT, ESTALE, ESHUTDOWN, EMSGSIZE, EAGAIN, ENOMEM },
	[FUZZ_REQUEST_SEND] = {
		EINPROGRESS, EBADMSG, EPROTO, EMSGSIZE, EBADE, EFAULT, EINVAL, ESTALE, EBUSY,
		ESHUTDOWN, EDEADLK },
	[FUZZ_REQUEST_CALL] = {
		EINPROGRESS, EBADMSG, EPROTO, EMSGSIZE, EBADE, EFAULT, EINVAL, ESTALE, EBUSY,
		ESHUTDOWN, EDEADLK },
	[FUZZ_REQUEST_WAIT] = {
		EINPROGRESS, EDEADLK, ESTALE, EFAULT, ENODATA, EINVAL, EAGAIN },
	[FUZZ_REQUEST_CANCEL] = { EALREADY, ESTALE },
	[FUZZ_REQUEST_FREE] = { ESTALE, EBUSY },
	[FUZZ_REQUEST_READ] = {
		EFAULT, ESTALE, ECANCELED, EMSGSIZE, EBUSY },
	[FUZZ_REQUEST_WRITE] = {
		EFAULT, ESTALE, ECANCELED, EMSGSIZE, EBUSY },
	[FUZZ_REQUEST_SET_CANCEL] = { ESTALE, ECANCELED, EINVAL },
	[FUZZ_REQUEST_PEND] = { ESTALE, ECANCELED },
	[FUZZ_REQUEST_FORWARD] = {
		EINPROGRESS, EBADMSG, EPROTO, EMSGSIZE, EBADE, EFAULT, EINVAL, ESTALE, EBUSY,
		ESHUTDOWN, E2BIG, ECANCELED, EDEADLK },
	[FUZZ_COMPLETE] = {
		ESTALE, ECANCELED, EFAULT, EPROTO, EMSGSIZE, EBADR, EXDEV, ENOEXEC },
	[FUZZ_COMPLETE_WITH] = {
		ESTALE, ECANCELED, EFAULT, EPROTO, EMSGSIZE, EBADR, EXDEV, ENOEXEC },
	[FUZZ_EVENT_CREATE] = {
		EFAULT, ENAMETOOLONG, EINVAL, EPROTOTYPE, ESTALE, ESHUTDOWN, ENFILE, EMFILE,
		ENOMEM },
	[FUZZ_EVENT_OPEN] = {
		EFAULT, ENAMETOOLONG, EINVAL, EPROTOTYPE, ESTALE, ESHUTDOWN, EMFILE, ENOMEM,
		ENOENT },
	[FUZZ_EVENT_CLOSE] = { ESTALE },
	[FUZZ_EVENT_SET] = { ESTALE },
	[FUZZ_EVENT_RESET] = { ESTALE },
	[FUZZ_EVENT_QUERY] = { ESTALE },
	[FUZZ_EVENT_WAIT] = {
		EINVAL, EFAULT, ESTALE, EDEADLK, EAGAIN, ENOMEM, ETIMEDOUT, ERESTARTSYS,
		ECANCELED },
	[FUZZ_EVENT_ON_SET] = { ESTALE, ENOEXEC, ESHUTDOWN, EAGAIN, ENOMEM },
};

/* The last place counts successes. */
static atomic_t results[FUZZ_CALLS][MOST_ERRNOS + 1];
static atomic_t origins[FUZZ_CALLS][FUZZ_ORIGINS];

/* Returns where results[call] counts @err, or -1 if the errno is not documented. */
static int place(enum fuzz_call call, int err)
{
	if (err >= 0)
		return MOST_ERRNOS;
	for (int n = 0; n < MOST_ERRNOS && documented[call][n]; n++)
		if (documented[call][n] == -err)
			return n;
	return -1;
}

bool fuzz_is_documented(enum fuzz_call call, int err)
{
	return place(call, err) >= 0;
}

const char *fuzz_origin_name(enum fuzz_origin origin)
{
	static const char * const names[FUZZ_ORIGINS] = {
		[FUZZ_LIVE] = "live",
		[FUZZ_DEAD] = "dead",
		[FUZZ_OTHER] = "other-kind",
		[FUZZ_ALTERED] = "altered",
		[FUZZ_GUESSED] = "guessed",
		[FUZZ_ZERO] = "zero",
		[FUZZ_FOREIGN] = "foreign",
	};

	return names[origin];
}

const char *fuzz_call_name(enum fuzz_call call)
{
	return exported[call].name;
}

void fuzz_count(enum fuzz_call call, int err, const struct fuzz_pick *picks, u32 count)
{
	int n = place(call, err);

	if (n >= 0)
		atomic_inc(&results[call][n]);
	for (u32 pick = 0; pick < count; pick++)
		atomic_inc(&origins[call][picks[pick].origin]);
}

/*
 * Returns whether each function that documents this errno must return it in some run. On a kernel
 * with failslab, no_memory() of limits.c causes ENOMEM.
 */
static bool is_limit(int errno)
{
	switch (errno) {
	case ENFILE:
	case EMFILE:
	case EAGAIN:
		return true;
	case ENOMEM:
		return IS_ENABLED(CONFIG_FAILSLAB);
	default:
		return false;
	}
}

static bool is_required(enum fuzz_origin origin)
{
	return origin == FUZZ_DEAD || origin == FUZZ_OTHER || origin == FUZZ_ALTERED;
}

/*
 * Writes a line for each function: NAME RESULT:COUNT... ORIGIN:COUNT... A "!" at the end of a
 * RESULT or ORIGIN means: the torture fails if this count is 0 in all runs. In the mode fuzz-slow,
 * this does not hold for errnos.
 */
ssize_t fuzz_report_coverage(char *text, size_t size)
{
	ssize_t used = 0;

	for (int call = 0; call < FUZZ_CALLS; call++) {
		used += scnprintf(text + used, size - used, "%s 0!:%d", exported[call].name,
				  atomic_read(&results[call][MOST_ERRNOS]));
		for (int n = 0; n < MOST_ERRNOS && documented[call][n]; n++) {
			int count = atomic_read(&results[call][n]);
			bool required = is_limit(documented[call][n]);

			if (count || required)
				used += scnprintf(text + used, size - used, " %d%s:%d",
						  -documented[call][n], required ? "!" : "", count);
		}
		for (int n = 0; n < FUZZ_ORIGINS && exported[call].takes_handle; n++)
			used += scnprintf(text + used, size - used, " %s%s:%d", fuzz_origin_name(n),
					  is_required(n) ? "!" : "",
					  atomic_read(&origins[call][n]));
		used += scnprintf(text + used, size - used, "\n");
	}
	return used;
}

void fuzz_coverage_reset(void)
{
	memset(results, 0, sizeof(results));
	memset(origins, 0, sizeof(origins));
}

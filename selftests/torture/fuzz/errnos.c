// SPDX-License-Identifier: GPL-2.0
/*
 * The errors that d2d.h and d2d_event.h document for each function. -ENODEV, which all of them
 * may return, is missing here: the owner is not unloaded while the fuzzer is loaded.
 */
#include <linux/errno.h>

#include "fuzz.h"

#define MOST	24

static const struct {
	const char *name;
	int errnos[MOST];
} documented[FUZZ_CALLS] = {
	[FUZZ_REGISTER] = { "d2d_register", {
		EFAULT, EBADMSG, EPROTO, EMSGSIZE, EBADE, ENAMETOOLONG, EINVAL, ENOEXEC,
		ENOTUNIQ, ENFILE, ESHUTDOWN } },
	/* The last two come from the fuzzer's drivers, which complete a handshake with them. */
	[FUZZ_ATTACH] = { "d2d_attach", {
		ESTALE, ESHUTDOWN, EALREADY, EBUSY, EINPROGRESS, EFAULT, EPROTO, EMSGSIZE, EBADR,
		EXDEV, ENOEXEC, EIO, ETIMEDOUT, ECANCELED, ENOMEM, EAGAIN, EPERM, ENXIO } },
	[FUZZ_DETACH] = { "d2d_detach", { EDEADLK, ESTALE, ENOTCONN, EALREADY } },
	[FUZZ_UNREGISTER] = { "d2d_unregister", { EDEADLK, ESTALE, EBUSY, EALREADY } },
	[FUZZ_LOOKUP] = { "d2d_lookup", { EFAULT, ENAMETOOLONG, ENOENT } },
	[FUZZ_ALLOC] = { "d2d_request_alloc", {
		EFAULT, ESTALE, ESHUTDOWN, EMSGSIZE, EAGAIN, ENOMEM } },
	[FUZZ_SEND] = { "d2d_request_send", {
		EINPROGRESS, EBADMSG, EPROTO, EMSGSIZE, EBADE, EFAULT, EINVAL, ESTALE, EBUSY,
		ESHUTDOWN, EDEADLK } },
	[FUZZ_WAIT] = { "d2d_request_wait", {
		EINPROGRESS, EDEADLK, ESTALE, EFAULT, ENODATA, EINVAL, EAGAIN } },
	[FUZZ_CANCEL] = { "d2d_request_cancel", { EALREADY, ESTALE } },
	[FUZZ_FREE] = { "d2d_request_free", { ESTALE, EBUSY } },
	[FUZZ_READ] = { "d2d_request_read", {
		EFAULT, ESTALE, ECANCELED, EMSGSIZE, EBUSY } },
	[FUZZ_WRITE] = { "d2d_request_write", {
		EFAULT, ESTALE, ECANCELED, EMSGSIZE, EBUSY } },
	[FUZZ_SET_CANCEL] = { "d2d_request_set_cancel", { ESTALE, ECANCELED, EINVAL } },
	[FUZZ_FORWARD] = { "d2d_request_forward", {
		EINPROGRESS, EBADMSG, EPROTO, EMSGSIZE, EBADE, EFAULT, EINVAL, ESTALE, EBUSY,
		ESHUTDOWN, E2BIG, ECANCELED, EDEADLK } },
	[FUZZ_COMPLETE] = { "d2d_complete", {
		ESTALE, ECANCELED, EFAULT, EPROTO, EMSGSIZE, EBADR, EXDEV, ENOEXEC } },
	[FUZZ_EVENT_CREATE] = { "d2d_event_create", {
		EFAULT, ENAMETOOLONG, EINVAL, EPROTOTYPE, ESTALE, ESHUTDOWN, ENFILE, EMFILE,
		ENOMEM } },
	[FUZZ_EVENT_OPEN] = { "d2d_event_open", {
		EFAULT, ENAMETOOLONG, EINVAL, EPROTOTYPE, ESTALE, ESHUTDOWN, EMFILE, ENOMEM,
		ENOENT } },
	[FUZZ_EVENT_CLOSE] = { "d2d_event_close", { ESTALE } },
	[FUZZ_EVENT_SET] = { "d2d_event_set", { ESTALE } },
	[FUZZ_EVENT_RESET] = { "d2d_event_reset", { ESTALE } },
	[FUZZ_EVENT_QUERY] = { "d2d_event_query", { ESTALE } },
	[FUZZ_EVENT_WAIT] = { "d2d_event_wait", {
		EINVAL, EFAULT, ESTALE, EDEADLK, EAGAIN, ENOMEM, ETIMEDOUT, ERESTARTSYS,
		ECANCELED } },
};

/* How often each errno was returned; the last place counts successes. */
static atomic_t counts[FUZZ_CALLS][MOST + 1];

static int place(enum fuzz_call call, int err)
{
	if (err >= 0)
		return MOST;
	for (int n = 0; n < MOST && documented[call].errnos[n]; n++)
		if (documented[call].errnos[n] == -err)
			return n;
	return -1;
}

bool fuzz_is_documented(enum fuzz_call call, int err)
{
	return place(call, err) >= 0;
}

const char *fuzz_call_name(enum fuzz_call call)
{
	return documented[call].name;
}

void fuzz_count_errno(enum fuzz_call call, int err)
{
	int n = place(call, err);

	if (n >= 0)
		atomic_inc(&counts[call][n]);
}

/* Writes a line for each function: NAME 0:COUNT -ERRNO:COUNT... */
ssize_t fuzz_report_errnos(char *text, size_t size)
{
	ssize_t used = 0;

	for (int call = 0; call < FUZZ_CALLS; call++) {
		used += scnprintf(text + used, size - used, "%s 0:%d", documented[call].name,
				  atomic_read(&counts[call][MOST]));
		for (int n = 0; n < MOST && documented[call].errnos[n]; n++) {
			int count = atomic_read(&counts[call][n]);

			if (count)
				used += scnprintf(text + used, size - used, " %d:%d",
						  -documented[call].errnos[n], count);
		}
		used += scnprintf(text + used, size - used, "\n");
	}
	return used;
}

void fuzz_errnos_reset(void)
{
	memset(counts, 0, sizeof(counts));
}

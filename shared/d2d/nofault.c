// SPDX-License-Identifier: GPL-2.0
/*
 * Copies from and to addresses that another driver has named. A bad address is refused and does
 * no harm: one that is not the kernel's, that is not mapped, or that may not be written. Only
 * mapped devices notice.
 *
 * The kernel exports copy_from_kernel_nofault(), but not copy_to_kernel_nofault(). Both are made
 * of the architecture's __get_kernel_nofault() and __put_kernel_nofault(), which are used here.
 * Their accesses are in assembler, so that KASAN, which must not see a wild address, does not
 * instrument them.
 *
 * Any context but NMI.
 */
#include <linux/mm.h>
#include <linux/sched.h>
#include <linux/uaccess.h>
#include <linux/vmalloc.h>

#include "nofault.h"

#ifdef CONFIG_UML

/*
 * User-Mode Linux retries an access to its vmalloc area that has faulted until the page is there.
 * A page that is not mapped must not be touched. No address is a process's: processes live in
 * address spaces of their own.
 */
static bool is_kernel_range(unsigned long first, size_t size)
{
	unsigned long page;

	if (first + size < first)
		return false;
	for (page = first; page - first < size; page = (page & PAGE_MASK) + PAGE_SIZE)
		if (is_vmalloc_addr((void *)page) && !vmalloc_to_page((void *)page))
			return false;
	return true;
}

/*
 * __get_kernel_nofault() and __put_kernel_nofault() make relocations here that the module loader
 * refuses: the kernel's addresses do not fit into 32 bits. An interrupt may copy as well, so the
 * outer copy's target is restored.
 */
static bool copy(void *to, const void *from, size_t size)
{
	void *outer = current->thread.segv_continue;
	int faulted;

	pagefault_disable();
	asm volatile("leaq 1f(%%rip), %%rax\n\t"
		     "movq %%rax, %[target]\n\t"
		     "rep movsb\n\t"
		     "xorl %%eax, %%eax\n\t"
		     "jmp 2f\n"
		     "1:\tmovl $1, %%eax\n"
		     "2:"
		     : "=&a" (faulted), "+D" (to), "+S" (from), "+c" (size),
		       [target] "=m" (current->thread.segv_continue)
		     : : "memory", "cc");
	current->thread.segv_continue = outer;
	pagefault_enable();
	return !faulted;
}

#define copy_from(to, from, size)	copy(to, from, size)
#define copy_to(to, from, size)		copy(to, from, size)

#else

#ifdef CONFIG_X86_64
#include <asm/vsyscall.h>

/* As copy_from_kernel_nofault_allowed(), which is not exported. */
static bool is_kernel_range(unsigned long first, size_t size)
{
	return first + size >= first && first >= TASK_SIZE_MAX + PAGE_SIZE &&
	       !is_vsyscall_vaddr(first) &&
	       __is_canonical_address(first, boot_cpu_data.x86_virt_bits);
}
#else
static bool is_kernel_range(unsigned long first, size_t size)
{
	return first + size >= first && first >= TASK_SIZE_MAX;
}
#endif

static bool by_words(const void *to, const void *from)
{
	return IS_ENABLED(CONFIG_HAVE_EFFICIENT_UNALIGNED_ACCESS) ||
	       IS_ALIGNED((unsigned long)to | (unsigned long)from, sizeof(u64));
}

static bool copy_from(void *to, const void *from, size_t size)
{
	pagefault_disable();
	if (by_words(to, from))
		for (; size >= sizeof(u64); size -= sizeof(u64)) {
			__get_kernel_nofault(to, from, u64, fault);
			to += sizeof(u64);
			from += sizeof(u64);
		}
	for (; size; size--) {
		__get_kernel_nofault(to, from, u8, fault);
		to++;
		from++;
	}
	pagefault_enable();
	return true;
fault:
	pagefault_enable();
	return false;
}

static bool copy_to(void *to, const void *from, size_t size)
{
	pagefault_disable();
	if (by_words(to, from))
		for (; size >= sizeof(u64); size -= sizeof(u64)) {
			__put_kernel_nofault(to, from, u64, fault);
			to += sizeof(u64);
			from += sizeof(u64);
		}
	for (; size; size--) {
		__put_kernel_nofault(to, from, u8, fault);
		to++;
		from++;
	}
	pagefault_enable();
	return true;
fault:
	pagefault_enable();
	return false;
}

#endif

/* Reads from an address that may be bad. Returns whether all was read. */
bool d2d_nofault_read(void *to, const void *from, size_t size)
{
	return is_kernel_range((unsigned long)from, size) && copy_from(to, from, size);
}

/* Writes to an address that may be bad. Returns whether all was written. */
bool d2d_nofault_write(void *to, const void *from, size_t size)
{
	return is_kernel_range((unsigned long)to, size) && copy_to(to, from, size);
}

/*
 * Whether an object of this size, at most a page, can be written: its first and its last byte
 * are written as they are.
 */
bool d2d_nofault_is_writable(void *at, size_t size)
{
	void *last = at + size - 1;
	u8 byte;

	return is_kernel_range((unsigned long)at, size) &&
	       copy_from(&byte, at, 1) && copy_to(at, &byte, 1) &&
	       copy_from(&byte, last, 1) && copy_to(last, &byte, 1);
}

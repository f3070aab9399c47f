/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Driver to driver: copies from and to addresses that another driver has named. A bad address is
 * refused and does no harm: one that is not the kernel's, that is not mapped, or that may not be
 * written. The registers of a mapped device notice an access. Rust drivers have
 * shared/d2d/probe.rs.
 *
 * The kernel exports copy_from_kernel_nofault(), but not copy_to_kernel_nofault(). Both are made
 * of the architecture's __get_kernel_nofault() and __put_kernel_nofault(), which are used here.
 * Their accesses are in assembler, so that KASAN, which must not see a wild address, does not
 * instrument them.
 *
 * Any context but NMI; nothing here sleeps. A copy that fails may have copied a part.
 */
#ifndef D2D_NOFAULT_H
#define D2D_NOFAULT_H

#include <linux/align.h>
#include <linux/errno.h>
#include <linux/mm.h>
#include <linux/sched.h>
#include <linux/uaccess.h>
#include <linux/vmalloc.h>

#ifdef CONFIG_UML

/*
 * Whether a range may be accessed at all. A write may fail all the same.
 *
 * User-Mode Linux enables interrupts when an access faults, and retries an access to its vmalloc
 * area until the page is there. So a page that is not mapped must not be touched: only the
 * kernel's memory, which has the kernel in it, and mapped pages of the vmalloc area may be. No
 * address is a process's: processes live in address spaces of their own.
 */
static inline bool d2d_is_kernel_range(unsigned long first, size_t size)
{
	unsigned long page;

	if (first + size < first)
		return false;
	for (page = first; page - first < size; page = (page & PAGE_MASK) + PAGE_SIZE) {
		bool in_memory = page >= uml_physmem && page < (unsigned long)high_memory;
		bool in_vmalloc = is_vmalloc_addr((void *)page) && vmalloc_to_page((void *)page);

		if (!in_memory && !in_vmalloc)
			return false;
	}
	return true;
}

/*
 * __get_kernel_nofault() and __put_kernel_nofault() make relocations here that the module loader
 * refuses: the kernel's addresses do not fit into 32 bits. An interrupt may copy as well, so the
 * outer copy's target is restored.
 */
static inline bool d2d_copy_mapped(void *to, const void *from, size_t size)
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

/* Copies from, or to, such a range. Returns whether all was copied. */
#define d2d_copy_from_range	d2d_copy_mapped
#define d2d_copy_to_range	d2d_copy_mapped

#else

#ifdef CONFIG_X86_64
#include <asm/vsyscall.h>

/*
 * Whether a range may be accessed at all; that may fail all the same. As
 * copy_from_kernel_nofault_allowed(), which is not exported.
 */
static inline bool d2d_is_kernel_range(unsigned long first, size_t size)
{
	/* The kernel's half of the canonical addresses reaches up to the last one. */
	unsigned long lowest = -1UL << (boot_cpu_data.x86_virt_bits - 1);

	return first >= lowest && first + size >= first && !is_vsyscall_vaddr(first);
}
#else
static inline bool d2d_is_kernel_range(unsigned long first, size_t size)
{
	return first + size >= first && first >= TASK_SIZE_MAX;
}
#endif

static inline bool d2d_copies_by_words(const void *to, const void *from)
{
	return IS_ENABLED(CONFIG_HAVE_EFFICIENT_UNALIGNED_ACCESS) ||
	       IS_ALIGNED((unsigned long)to | (unsigned long)from, sizeof(u64));
}

/* Copies from such a range, or to it if put. Returns whether all was copied. */
static __always_inline bool d2d_copy_range(void *to, const void *from, size_t size, bool put)
{
	pagefault_disable();
	if (d2d_copies_by_words(to, from))
		for (; size >= sizeof(u64); size -= sizeof(u64)) {
			if (put)
				__put_kernel_nofault(to, from, u64, fault);
			else
				__get_kernel_nofault(to, from, u64, fault);
			to += sizeof(u64);
			from += sizeof(u64);
		}
	for (; size; size--) {
		if (put)
			__put_kernel_nofault(to, from, u8, fault);
		else
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

/* Copies from, or to, such a range. Returns whether all was copied. */
static inline bool d2d_copy_from_range(void *to, const void *from, size_t size)
{
	return d2d_copy_range(to, from, size, false);
}

static inline bool d2d_copy_to_range(void *to, const void *from, size_t size)
{
	return d2d_copy_range(to, from, size, true);
}

#endif

/* Copies from an address that may be bad. Returns 0 or -EFAULT. */
static inline int d2d_copy_from_nofault(void *to, const void *from, size_t size)
{
	return d2d_is_kernel_range((unsigned long)from, size) &&
	       d2d_copy_from_range(to, from, size) ? 0 : -EFAULT;
}

/*
 * As d2d_copy_from_nofault(), for one object. An address that is NULL or misaligned is bad, too.
 */
#define d2d_get_nofault(to, from)						\
({										\
	typeof(to) __to = (to);							\
	const typeof(*__to) *__from = (from);					\
										\
	__from && IS_ALIGNED((unsigned long)__from, __alignof__(*__to)) ?	\
		d2d_copy_from_nofault(__to, __from, sizeof(*__to)) : -EFAULT;	\
})

#endif /* D2D_NOFAULT_H */

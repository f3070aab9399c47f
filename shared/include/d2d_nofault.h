/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Copies from and to addresses that another driver has named. An address is bad if it is not the
 * kernel's, is not mapped, or is read-only for a write. A copy from or to a bad address fails, and
 * may have copied a part. If registers of a device are mapped at the address, the device notices
 * the access. Any context but NMI; no function sleeps. Rust drivers have shared/d2d/probe.rs.
 *
 * The kernel does not export copy_to_kernel_nofault(). So this file uses the macros behind it,
 * __get_kernel_nofault() and __put_kernel_nofault(). They are in assembler, which KASAN does not
 * instrument: a check by KASAN of a bad address could itself fault.
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
 * Whether a copy may try to access a range. A write to it may still fail.
 *
 * In User-Mode Linux, a fault enables interrupts, and the kernel retries an access to the vmalloc
 * area until the page is mapped. So the function accepts only the kernel's physical memory, which
 * is always mapped, and mapped pages of the vmalloc area.
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
 * In User-Mode Linux, a module cannot use __get_kernel_nofault(): it needs relocations of 32 bits,
 * into which the kernel's addresses do not fit. An interrupt may call this function while another
 * copy runs. So the function restores segv_continue, the fault target of that copy.
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

/* Copy from, and to, a range that d2d_is_kernel_range() has accepted; true if all was copied. */
#define d2d_copy_from_range	d2d_copy_mapped
#define d2d_copy_to_range	d2d_copy_mapped

#else

#ifdef CONFIG_X86_64
#include <asm/vsyscall.h>

/**
 * d2d_is_kernel_range() - as copy_from_kernel_nofault_allowed(), which is not exported
 * @first: the address of the first byte
 * @size: the number of bytes
 *
 * Return: true if a copy may try to access the range. The access may still fail
 */
static inline bool d2d_is_kernel_range(unsigned long first, size_t size)
{
	/* The kernel's half of the canonical addresses ends with the highest address. */
	unsigned long lowest = -1UL << (boot_cpu_data.x86_virt_bits - 1);

	return first >= lowest && first + size >= first && !is_vsyscall_vaddr(first);
}
#else
static inline bool d2d_is_kernel_range(unsigned long first, size_t size)
{
	return first + size >= first && first >= TASK_SIZE_MAX;
}
#endif

/* Whether the architecture can copy between these addresses by words of 8 bytes. */
static inline bool d2d_copies_by_words(const void *to, const void *from)
{
	return IS_ENABLED(CONFIG_HAVE_EFFICIENT_UNALIGNED_ACCESS) ||
	       IS_ALIGNED((unsigned long)to | (unsigned long)from, sizeof(u64));
}

/* Copies from the range, or to it if put is set. */
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

/* Copy from, and to, a range that d2d_is_kernel_range() has accepted; true if all was copied. */
static inline bool d2d_copy_from_range(void *to, const void *from, size_t size)
{
	return d2d_copy_range(to, from, size, false);
}

static inline bool d2d_copy_to_range(void *to, const void *from, size_t size)
{
	return d2d_copy_range(to, from, size, true);
}

#endif

/**
 * d2d_copy_from_nofault() - copy from an address that may be bad
 * @to: where to copy the bytes
 * @from: the address
 * @size: the number of bytes
 *
 * Return: 0 or %-EFAULT
 */
static inline int d2d_copy_from_nofault(void *to, const void *from, size_t size)
{
	return d2d_is_kernel_range((unsigned long)from, size) &&
	       d2d_copy_from_range(to, from, size) ? 0 : -EFAULT;
}

/**
 * d2d_get_nofault() - copy one object from an address that may be bad
 * @to: where to copy the object
 * @from: the address; NULL and a misaligned address are bad, too
 *
 * Return: 0 or %-EFAULT
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

/* SPDX-License-Identifier: GPL-2.0 */
#ifndef D2D_PAUSE_CALLS_H
#define D2D_PAUSE_CALLS_H

/**
 * d2d_pause_call() - Wait while the test pauses calls of this execution context
 *
 * A test peer calls this function inside an operation or a routine. The function sleeps in a task,
 * and spins in softirq and hard interrupt.
 *
 * Context: Any context but NMI. May sleep if called in a task.
 */
void d2d_pause_call(void);

/**
 * d2d_pause_handshake() - Wait while the test pauses handshakes
 *
 * A test peer calls this function before it completes a handshake.
 *
 * Context: Process context. May sleep.
 */
void d2d_pause_handshake(void);

#endif /* D2D_PAUSE_CALLS_H */

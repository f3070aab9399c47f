/* SPDX-License-Identifier: GPL-2.0 */
#ifndef D2D_PAUSE_CALLS_H
#define D2D_PAUSE_CALLS_H

/**
 * d2d_pause_call() - Wait while the test pauses calls of this execution context
 *
 * Context: Any context but NMI. Sleeps in a task, and spins in softirq and hard interrupt.
 */
void d2d_pause_call(void);

/**
 * d2d_pause_handshake() - Wait while the test pauses handshakes
 *
 * Context: Process context. May sleep.
 */
void d2d_pause_handshake(void);

#endif /* D2D_PAUSE_CALLS_H */

/* SPDX-License-Identifier: GPL-2.0 */
#ifndef D2D_HOLD_CALLS_H
#define D2D_HOLD_CALLS_H

/**
 * d2d_hold_operation() - Block while the test holds calls of this execution context
 *
 * A test peer calls it inside an operation or a routine. It sleeps in a task and spins in
 * softirq and hard interrupt.
 *
 * Context: Any context but NMI. May sleep if called in a task.
 */
void d2d_hold_operation(void);

/**
 * d2d_hold_handshake() - Block while the test holds handshakes
 *
 * A test peer calls it before it completes a handshake.
 *
 * Context: Process context. May sleep.
 */
void d2d_hold_handshake(void);

#endif /* D2D_HOLD_CALLS_H */

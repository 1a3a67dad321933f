/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * still.h - keep KVM from changing its own code.
 *
 * KVM asks "is any APIC off, is any vCPU without one?" by branches that it
 * patches into its code when the first one comes and out when the last one
 * goes: at every start of a guest.  An emulated processor that runs the code
 * while another one patches it takes an exception that the nested kernel does
 * not survive.  So there is one of each kind for good.
 */
#ifndef MOAT_TOOLS_NESTED_STILL_H
#define MOAT_TOOLS_NESTED_STILL_H

/* Until the caller's end.  Says on standard error what it cannot do. */
void still_keep(void);

#endif

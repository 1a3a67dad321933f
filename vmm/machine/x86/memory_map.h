/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * memory_map.h - guest-physical addresses of an x86_64 machine.
 */
#ifndef MOAT_VMM_MACHINE_X86_MEMORY_MAP_H
#define MOAT_VMM_MACHINE_X86_MEMORY_MAP_H

#include <assert.h>

#include "core/bits.h"

#define MAP_TABLES	UINT64_C(0x000e0000) /* ACPI, found by scanning */
#define MAP_TABLES_END	UINT64_C(0x000ffff0)
#define MAP_RESET	UINT64_C(0x000ffff0) /* where a BIOS would start */
#define MAP_HOLE	UINT64_C(0xc0000000) /* RAM stops here ... */
#define MAP_MMIO32	UINT64_C(0xc0000000)
#define MAP_MMIO32_END	UINT64_C(0xeec00000)
#define MAP_ECAM	UINT64_C(0xeec00000)
#define MAP_ECAM_SIZE	MIB(1)		     /* one bus */
#define MAP_VIRTIO	UINT64_C(0xeed00000) /* virtio-mmio, a page each */
#define MAP_VIRTIO_SIZE MIB(1)
#define MAP_IOAPIC	UINT64_C(0xfec00000)
#define MAP_LAPIC	UINT64_C(0xfee00000)
#define MAP_MSI_FIRST	UINT64_C(0xfee00000)
#define MAP_MSI_LAST	UINT64_C(0xfeefffff)
#define MAP_FIXED	UINT64_C(0xfec00000) /* APICs, KVM's pages, ROM */
#define MAP_FIXED_LAST	UINT64_C(0xffffffff)
#define MAP_HIGH_RAM	GIB(4)	 /* ... and goes on here */
#define MAP_MMIO64	GIB(256) /* or above RAM, if that is higher */
#define MAP_MMIO64_SIZE GIB(64)

#define PORT_I8042   0x60
#define PORT_CMOS    0x70
#define PORT_SERIAL  0x3f8
#define PORT_PVPANIC 0x505
#define PORT_POWER   0x600
#define PORT_RESET   0xcf9

#define GSI_SERIAL 4

static_assert(MAP_HOLE <= MAP_MMIO32, "RAM below the window");
static_assert(MAP_MMIO32_END <= MAP_ECAM, "window below ECAM");
static_assert(MAP_ECAM + MAP_ECAM_SIZE <= MAP_VIRTIO, "virtio-mmio behind it");
static_assert(MAP_VIRTIO + MAP_VIRTIO_SIZE <= MAP_IOAPIC, "below the APICs");
static_assert(MAP_MSI_LAST < MAP_HIGH_RAM, "MSI region inside the hole");

#endif

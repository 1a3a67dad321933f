/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* The DSDT of a machine with everything, see acpi_examples.h. */
DefinitionBlock ("", "DSDT", 2, "MOAT  ", "MOATVM  ", 1)
{
	Name (_S5, Package (4) { 5, 0, 0, 0 })

	Scope (_SB)
	{
		Device (PC00)
		{
			Name (_HID, EisaId ("PNP0A08"))
			Name (_CID, EisaId ("PNP0A03"))
			Name (_SEG, 0)
			Name (_UID, 0)
			Name (_BBN, 0)
			Name (_CCA, 1)
			Name (_CRS, ResourceTemplate ()
			{
				WordBusNumber (ResourceProducer, MinFixed, MaxFixed, PosDecode, 0, 0, 0, 0, 1)
				DWordMemory (ResourceProducer, PosDecode, MinFixed, MaxFixed, NonCacheable, ReadWrite,
					0, 0xc0000000, 0xeebfffff, 0, 0x2ec00000)
				QWordMemory (ResourceProducer, PosDecode, MinFixed, MaxFixed, NonCacheable, ReadWrite,
					0, 0x4000000000, 0x7fffffffff, 0, 0x4000000000)
			})
			Method (_DSM, 4, NotSerialized)
			{
				If (Arg0 == ToUUID ("e5c937d0-3553-4d7a-9117-ea4d19c3434d"))
				{
					If (Arg2 == 0)
					{
						Return (Buffer (1) { 0x21 })
					}
					If (Arg2 == 5)	/* keep the BARs */
					{
						Return (0)
					}
				}
				Return (Buffer (1) { 0x00 })
			}

			Device (IOMU)
			{
				Name (_ADR, 0x00010000)
			}
		}

		Device (MBRD)	/* ECAM */
		{
			Name (_HID, EisaId ("PNP0C02"))
			Name (_CRS, ResourceTemplate ()
			{
				Memory32Fixed (ReadWrite, 0xeec00000, 0x00100000)
			})
		}

		Device (COM1)
		{
			Name (_HID, EisaId ("PNP0501"))
			Name (_UID, 1)
			Name (_CRS, ResourceTemplate ()
			{
				IO (Decode16, 0x3f8, 0x3f8, 1, 8)
				Interrupt (ResourceConsumer, Edge, ActiveHigh, Exclusive) { 4 }
			})
		}

		Device (RTC)
		{
			Name (_HID, EisaId ("PNP0B00"))
			Name (_CRS, ResourceTemplate ()
			{
				IO (Decode16, 0x70, 0x70, 1, 2)
			})
		}

		Device (PEVT)	/* pvpanic */
		{
			Name (_HID, "QEMU0001")
			Name (_CRS, ResourceTemplate ()
			{
				IO (Decode16, 0x505, 0x505, 1, 1)
			})
		}

		Device (VM00)	/* virtio-mmio */
		{
			Name (_HID, "LNRO0005")
			Name (_UID, 0)
			Name (_CCA, 1)
			Name (_CRS, ResourceTemplate ()
			{
				Memory32Fixed (ReadWrite, 0xeed00000, 0x00001000)
				Interrupt (ResourceConsumer, Edge, ActiveHigh, Exclusive) { 5 }
			})
		}

		Device (VM01)
		{
			Name (_HID, "LNRO0005")
			Name (_UID, 1)
			Name (_CCA, 1)
			Name (_CRS, ResourceTemplate ()
			{
				Memory32Fixed (ReadWrite, 0xeed01000, 0x00001000)
				Interrupt (ResourceConsumer, Edge, ActiveHigh, Exclusive) { 6 }
			})
		}
	}
}

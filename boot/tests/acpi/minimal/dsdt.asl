/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* The DSDT of a machine with the least, see acpi_examples.h. */
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
					0, 0xd0000000, 0xdfffffff, 0, 0x10000000)
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
		}

		Device (MBRD)	/* ECAM */
		{
			Name (_HID, EisaId ("PNP0C02"))
			Name (_CRS, ResourceTemplate ()
			{
				Memory32Fixed (ReadWrite, 0xe0000000, 0x00100000)
			})
		}
	}
}

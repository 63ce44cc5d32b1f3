/*
 * csv.h - what tables for spreadsheets must look out for
 */
#ifndef CARBON_REPORT_CSV_H
#define CARBON_REPORT_CSV_H

#include <stdbool.h>

#include "core/buf.h"

/*
 * Text that a spreadsheet calculates (OWASP, "CSV Injection"): it begins with =, +, - or @, also of
 * full width or behind blanks, which some cut off. A ' in front makes it text.
 */
bool csv_is_formula(const char *text);

/* Append a field as RFC 4180 has it, a formula as text. Control characters were escaped before. */
void csv_text(struct buf *buf, const char *text);

#endif

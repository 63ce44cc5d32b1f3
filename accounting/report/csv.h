/*
 * csv.h - what tables for spreadsheets must look out for
 */
#ifndef CARBON_REPORT_CSV_H
#define CARBON_REPORT_CSV_H

#include <stdbool.h>

/*
 * Text that a spreadsheet calculates (OWASP, "CSV Injection"): it begins with =, +, - or @, also of
 * full width or behind blanks, which some cut off. A ' in front makes it text.
 */
bool csv_is_formula(const char *text);

#endif

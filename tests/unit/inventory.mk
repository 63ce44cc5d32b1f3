# inventory.conf and its tables
check_PROGRAMS += tests/unit/test_inventory
TESTS += tests/unit/test_inventory
tests_unit_test_inventory_CPPFLAGS = $(unit_cppflags)
tests_unit_test_inventory_CFLAGS = $(unit_cflags)
tests_unit_test_inventory_LDADD = libcarbon-carbon.la $(unit_ldadd)

check_PROGRAMS += tests/unit/test_bom
TESTS += tests/unit/test_bom
tests_unit_test_bom_CPPFLAGS = $(unit_cppflags)
tests_unit_test_bom_CFLAGS = $(unit_cflags)
tests_unit_test_bom_LDADD = libcarbon-carbon.la $(unit_ldadd)

# docs
dist_doc_DATA += docs/carbon.conf.sample docs/architecture.md docs/accuracy.md docs/bloom.md docs/method.md docs/operations.md docs/performance.md
dist_doc_DATA += docs/adding-a-sensor.md docs/reliability.md docs/security.md
dist_doc_DATA += docs/inventory.md docs/inventory.conf.sample
EXTRA_DIST += HACKING.md docs/adr docs/formats

dist_man_MANS = docs/man/sacct-carbon.1 docs/man/sreport-carbon.1 \
	docs/man/carbon.conf.5 docs/man/inventory.conf.5 \
	docs/man/carbon-meterd.8 docs/man/carbonctl.8 docs/man/spank_carbon.8

# docs
dist_doc_DATA += docs/carbon.conf.sample docs/architecture.md docs/accuracy.md docs/bloom.md docs/method.md docs/operations.md docs/performance.md
dist_doc_DATA += docs/adding-a-sensor.md docs/admin.md docs/reliability.md docs/security.md
dist_doc_DATA += docs/inventory.md docs/inventory.conf.sample docs/scaling.md
dist_doc_DATA += docs/quickstart.md docs/users.md docs/faq.md
# where the pages above link to
adrdir = $(docdir)/adr
dist_adr_DATA = docs/adr/0001-series-and-slices.md \
	docs/adr/0002-a-batch-is-the-checkpoint.md \
	docs/adr/0003-two-readers-of-carbon-conf.md \
	docs/adr/0004-power-per-minute-from-the-start.md \
	docs/adr/0005-which-run-of-a-job.md \
	docs/adr/0006-millijoules-in-the-store.md \
	docs/adr/0007-factor-sets.md \
	docs/adr/0008-writers-take-turns.md \
	docs/adr/0009-sensors-in-processes-of-their-own.md \
	docs/adr/0010-a-loss-is-a-gap.md \
	docs/adr/0011-marks-on-tmpfs.md \
	docs/adr/0012-slurmdbd-wins.md \
	docs/adr/0013-backfill-is-a-stream.md \
	docs/adr/0014-one-sql-two-backends.md \
	docs/adr/0015-carbond.md \
	docs/adr/0016-a-viewer-is-of-the-store.md \
	docs/adr/0017-old-batches-become-runs.md \
	docs/adr/0018-old-hours-become-days.md
formatsdir = $(docdir)/formats
dist_formats_DATA = docs/formats/batch-1.md \
	docs/formats/capture-1.md \
	docs/formats/export.md \
	docs/formats/grid-intensity.md \
	docs/formats/mark-1.md \
	docs/formats/sreport-carbon.md \
	docs/formats/sreport-carbon.schema.json
EXTRA_DIST += HACKING.md

dist_man_MANS = docs/man/sacct-carbon.1 docs/man/sreport-carbon.1 \
	docs/man/carbon.conf.5 docs/man/inventory.conf.5 \
	docs/man/carbon-meterd.8 docs/man/carbonctl.8 docs/man/carbond.8 docs/man/spank_carbon.8

# scripts
EXTRA_DIST += \
	scripts/bench-meter \
	scripts/bench-query scripts/bench-report \
	scripts/bench-step \
	scripts/check \
	scripts/check-style \
	scripts/cluster \
	scripts/demo scripts/demo-year \
	scripts/deps \
	scripts/fuzz \
	scripts/site

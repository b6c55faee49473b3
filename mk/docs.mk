# SPDX-License-Identifier: MIT
# The documentation: the reference, generated from the schema, and the site of all pages.

.PHONY: docs
docs: ## Builds the documentation: build/docs/site/index.html
	$(Q)$(PYTHON) -B tools/docs/library.py
	$(Q)$(PYTHON) -B tools/docs/reference.py --out build/docs/reference schema/*.capnp
	$(Q)$(PYTHON) -B tools/docs/make_site.py --reference build/docs/reference --out build/docs/site
	@echo 'Open build/docs/site/index.html in a browser.'

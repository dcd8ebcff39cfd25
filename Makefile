# Thin on purpose: each target is one script, so that it also works without make.
.DEFAULT_GOAL := help
.PHONY: help demo test dev lab lab-down bench lint clean

help: ## List these targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: ## Install what is missing, build, start the lab and the portal; Ctrl-C stops both
	@scripts/demo

test: ## Install what is missing and run every test, headless browser included
	@scripts/test

dev: ## The lab, and the portal rebuilt on every change
	@scripts/dev

lab: ## Start the lab and leave it running
	@scripts/lab

lab-down: ## Remove the lab, with the demo's history; its images stay cached
	@scripts/lab-down

bench: ## Measure, and print the ratios
	@scripts/bench

lint: ## Format, clippy, dependencies, licences, words, shell
	@scripts/lint

clean: ## Remove the lab and all that was built, with the demo's history; tools stay
	@scripts/clean

# What people and CI do with kubelet-lite. `make help` lists it.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.NOTPARALLEL:
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

CARGO ?= cargo
TARGET := $(or $(CARGO_TARGET_DIR),target)
# Random schedules that the simulation plays.
SCHEDULES ?= 20000
# How long `make fuzz` goes on, and what its choices are made from.
FUZZ_SECONDS ?= 600
FUZZ_SEED ?= 1
# Where `make install` puts things.
prefix ?= /usr/local
DESTDIR ?=
# DEMO=auto plays through by itself.
DEMO ?= interactive

deps := packaging/deps.sh
build_deps := cc=build-essential
# The C library of a release: musl, linked in, which is leaner (docs/packaging.md); LIBC=gnu is the system's.
LIBC ?= musl
musl := $(filter musl,$(LIBC))
static := $(shell uname -m)-unknown-linux-musl
release_deps := $(if $(musl),$(shell uname -m)-linux-musl-gcc=musl-tools)
release_target := $(if $(musl),--target $(static))
released := $(TARGET)/$(if $(musl),$(static)/)release
demo_deps := curl=curl jq=jq column=bsdextrautils busybox-static
# What the package is tested with, beside what it is built with.
package_deps := lintian=lintian mmdebstrap=mmdebstrap systemd-analyze=systemd readelf=binutils unshare=util-linux
vm_deps := qemu-system-x86_64=qemu-system-x86 qemu-img=qemu-utils mke2fs=e2fsprogs sfdisk=fdisk \
	grub-mkimage=grub-common grub-pc-bin ssh=openssh-client rsync=rsync
vagrant_deps := vagrant=vagrant vagrant-libvirt libvirtd=libvirt-daemon-system virsh=libvirt-clients dnsmasq=dnsmasq-base
engine_deps := dockerd=docker.io iptables=iptables ip=iproute2
# A machine's own switch must not leave tests out.
unexport KUBELET_LITE_TEST_ENGINE
# nextest if it is there: one summary, and a process for each test.
nextest := $(shell $(CARGO) nextest --version >/dev/null 2>&1 && echo yes)
run_tests := $(if $(nextest),$(CARGO) nextest run --locked,$(CARGO) test --locked)
# Those marked ignored need root: they mount file systems.
with_ignored := $(if $(nextest),--run-ignored all,-- --include-ignored)

define step
@printf '\n== %s\n' "$(1)"
endef

.PHONY: help
help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: run
run: ## the daemon over the examples, on this machine's Docker Engine or on a private one; Ctrl-C ends it
	@$(deps) $(build_deps) $(demo_deps)
	$(call step,building)
	$(CARGO) build --locked
	@# Job control makes the demo the terminal's foreground: Ctrl-C is its business, not make's.
	@set -m; KUBELET_LITE=$(TARGET)/debug/kubelet-lite packaging/demo/run.sh $(DEMO); exit $$?

.PHONY: demo
demo: ## the same, playing a story through by itself; fails if anything is not as it should be
	@$(MAKE) run DEMO=auto </dev/null

.PHONY: test-demo
test-demo: ## two runs of it at once, ended by Ctrl-C: nothing is left
	@$(deps) $(build_deps) $(demo_deps) $(engine_deps)
	@$(CARGO) build --locked
	$(call step,two runs of the demo at once)
	KUBELET_LITE=$(TARGET)/debug/kubelet-lite packaging/demo/test.sh

.PHONY: test
test: deps lint doc doctest demo test-demo test-sim test-all test-deb ## everything CI runs; installs what it lacks

.PHONY: deps
deps: ## install what tests need and this machine lacks (Debian packages; rustfmt and clippy)
	@$(deps) $(build_deps) $(release_deps) $(demo_deps) $(engine_deps) $(package_deps)
	@$(CARGO) fmt --version >/dev/null 2>&1 && $(CARGO) clippy --version >/dev/null 2>&1 || rustup component add rustfmt clippy

.PHONY: check
check: lint test-unit ## the quick half of `test`: format, lints, unit tests

.PHONY: lint
lint: ## format and lints; a warning is an error
	$(call step,format)
	$(CARGO) fmt --check
	$(call step,lints)
	$(CARGO) clippy --locked --workspace --all-targets -- -D warnings
	@# Not one of all targets: it is built in a profile of its own.
	$(CARGO) clippy --locked --test simulation -- -D warnings

.PHONY: doc
doc: ## the documentation of the code, private items too; a warning is an error
	$(call step,documentation)
	RUSTDOCFLAGS="-D warnings -A rustdoc::private-intra-doc-links" $(CARGO) doc --locked --no-deps --document-private-items

.PHONY: docs
docs: ## write the documents that are made from the code (docs/fields.md)
	KUBELET_LITE_UPDATE_DOCS=1 $(CARGO) test --locked --lib the_document_is_the_table

# nextest does not run these.
.PHONY: doctest
doctest:
	$(call step,examples in the documentation)
	$(if $(nextest),$(CARGO) test --locked --doc,@echo "with the other tests")

.PHONY: test-all
test-all:
	$(call step,unit tests; Docker Engine)
	$(run_tests) $(with_ignored)

.PHONY: test-unit
test-unit: ## tests beside the code: no engine, no root
	$(call step,unit tests)
	$(run_tests) --lib --bins

.PHONY: test-sim
test-sim: ## the daemon in simulated time: every fault at every call to the engine, and SCHEDULES=20000 random schedules
	$(call step,simulation with $(SCHEDULES) random schedules)
	KUBELET_LITE_SCHEDULES=$(SCHEDULES) $(CARGO) test --locked --profile simulation --test simulation -- --show-output

.PHONY: fuzz
fuzz: ## mutations of manifests against the laws of judging, and hostile ones against the clock, FUZZ_SECONDS=600 long, from FUZZ_SEED=1
	$(call step,mutations for $(FUZZ_SECONDS) s from seed $(FUZZ_SEED))
	FUZZ_SECONDS=$(FUZZ_SECONDS) FUZZ_SEED=$(FUZZ_SEED) $(CARGO) test --locked --profile fuzz --test judging -- --nocapture mutations hostile

.PHONY: test-engine
test-engine: ## tests on private Docker Engines (root)
	@$(deps) $(build_deps) $(engine_deps) busybox-static
	$(call step,Docker Engine)
	$(run_tests) --test engine_contract --test probes --test node

.PHONY: deny
deny: ## licences, bans and sources of dependencies, with cargo-deny if it is there
	@if $(CARGO) deny --version >/dev/null 2>&1; then $(CARGO) deny check licenses bans sources; \
	else echo "cargo-deny is not installed, nothing was checked: cargo install --locked cargo-deny"; exit 1; fi

.PHONY: bench
bench: ## what the daemon adds to the bare engine, as ratios; prints a table, judges nothing (root)
	@$(deps) $(build_deps) $(engine_deps) busybox-static
	$(call step,benchmark on a private Docker Engine)
	$(CARGO) bench --locked --bench node

.PHONY: release
release:
	$(call step,release build)
	@$(deps) $(build_deps) $(release_deps)
	@$(if $(musl),rustc --print target-libdir $(release_target) | xargs test -d || rustup target add $(static))
	$(CARGO) build --locked --release $(release_target)

.PHONY: deb
deb: release ## the Debian package, into target/debian; the same bytes from the same sources and compiler
	$(call step,package)
	$(CARGO) run --locked --release $(release_target) --quiet --package kubelet-lite-manuals -- $(TARGET)/manuals
	packaging/deb/build.sh $(released)/kubelet-lite $(TARGET)/manuals $(TARGET)/debian

.PHONY: test-deb
test-deb: ## the package: lintian, files, life of an installation in a chroot (root)
	@$(deps) $(build_deps) $(package_deps)
	@rm -rf $(TARGET)/debian
	@$(MAKE) deb
	$(call step,the package)
	packaging/deb/test.sh $(TARGET)/debian/*.deb $(TARGET)/manuals

.PHONY: bench-probes
bench-probes: ## what 110 probes cost and how late they are, beside bare ones; prints a table, judges nothing (root)
	@$(deps) $(build_deps) $(engine_deps) busybox-static
	$(call step,benchmark of probes on a private Docker Engine)
	$(CARGO) bench --locked --bench probes

# RELEASE=trixie for Debian 13.
RELEASE ?= bookworm
.PHONY: test-vm
test-vm: vm-box ## a virtual machine with systemd and Docker, from installation over reboot to purge (root); RELEASE=bookworm
	$(call step,the story on $(RELEASE))
	tests/vm/run.sh $(TARGET)/vm-$(RELEASE) $(TARGET)/debian/*.deb 2>&1 | tee $(TARGET)/vm-$(RELEASE)/transcript

.PHONY: test-vm-pair
test-vm-pair: vm-box ## two virtual machines that get one directory by rsync, each runs its share of it (root); RELEASE=bookworm
	$(call step,two nodes on $(RELEASE))
	tests/vm/run.sh $(TARGET)/vm-$(RELEASE) $(TARGET)/debian/*.deb pair 2>&1 | tee $(TARGET)/vm-$(RELEASE)/transcript-pair

# PLAYS=pair or PLAYS=story for one of them.
PLAYS ?= pair story
.PHONY: test-vagrant
test-vagrant: ## both stories on machines that Vagrant and libvirt make of the same disk (root)
	@$(deps) $(vagrant_deps)
	@$(MAKE) vm-box
	$(call step,both stories with Vagrant)
	tests/vm/vagrant.sh $(TARGET)/vm-$(RELEASE) $(TARGET)/debian/*.deb "$(PLAYS)" 2>&1 | tee $(TARGET)/vm-$(RELEASE)/transcript-vagrant

.PHONY: vm-box
vm-box:
	@$(deps) $(build_deps) $(package_deps) $(vm_deps)
	@rm -rf $(TARGET)/debian
	@$(MAKE) deb
	@[ $(TARGET)/vm-$(RELEASE)/cmdline -nt tests/vm/box.sh ] || { printf '\n== a machine\n'; tests/vm/box.sh $(TARGET)/vm-$(RELEASE) $(RELEASE); }

.PHONY: bench-manifests
bench-manifests: ## files judged in a second, and the time and memory of hostile ones; prints a table, judges nothing
	$(call step,benchmark of judging manifests)
	$(CARGO) bench --locked --bench manifests

.PHONY: install
install: release ## release build, unit, logind's limit, configuration and manifest directory below DESTDIR and prefix=/usr/local
	install -D -m 755 $(released)/kubelet-lite $(DESTDIR)$(prefix)/bin/kubelet-lite
	install -d -m 755 $(DESTDIR)$(prefix)/lib/systemd/system $(DESTDIR)/etc/kubernetes/manifests
	sed 's|/usr/bin/kubelet-lite|$(prefix)/bin/kubelet-lite|' systemd/kubelet-lite.service \
		>$(DESTDIR)$(prefix)/lib/systemd/system/kubelet-lite.service
	install -D -m 644 packaging/deb/logind.conf $(DESTDIR)$(prefix)/lib/systemd/logind.conf.d/zz-kubelet-lite.conf
	[ -e $(DESTDIR)/etc/kubernetes/kubelet-lite.yaml ] || \
		install -D -m 644 packaging/deb/kubelet-lite.yaml $(DESTDIR)/etc/kubernetes/kubelet-lite.yaml
	install -D -m 644 LICENSE $(DESTDIR)$(prefix)/share/doc/kubelet-lite/LICENSE

.PHONY: clean
clean: ## remove what was built
	$(CARGO) clean

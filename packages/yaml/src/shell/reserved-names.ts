const groups: Readonly<Record<string, string>> = {
  // The engine's own.
  engine: `
    WFE_*`,
  // Where programs, homes and temporary files are.
  places: `
    PATH HOME PWD OLDPWD CDPATH SHELL USER LOGNAME HOSTNAME TMPDIR TMP TEMP TEMPDIR XDG_*`,
  // What a shell reads before or while it runs.
  shell: `
    IFS ENV BASH_* BASHOPTS BASHPID SHELLOPTS SHLVL POSIXLY_CORRECT POSIX_PEDANTIC PS0 PS1 PS2 PS3 PS4
    PROMPT_COMMAND PROMPT_DIRTRIM GLOBIGNORE EXECIGNORE FIGNORE FCEDIT FPATH FUNCNEST HISTFILE HISTCMD
    HISTCONTROL INPUTRC MAILPATH MAILCHECK ZDOTDIR ZSH_* KSH_* OPTARG OPTERR OPTIND PIPESTATUS DIRSTACK FUNCNAME
    UID EUID GROUPS PPID RANDOM SRANDOM SECONDS LINENO TMOUT TIMEFORMAT EPOCHSECONDS EPOCHREALTIME COMPREPLY
    COMP_* READLINE_* COPROC MAPFILE MACHTYPE HOSTTYPE OSTYPE CHILD_MAX`,
  // The loader and the C library.
  loader: `
    LD_* DYLD_* GLIBC_* MALLOC_* GCONV_PATH GETCONF_DIR HOSTALIASES LOCALDOMAIN RES_OPTIONS RESOLV_* LOCPATH
    NLSPATH LANG LANGUAGE LC_* TZ TZDIR TERM TERMCAP TERMINFO TERMINFO_DIRS ASAN_OPTIONS LSAN_OPTIONS
    UBSAN_OPTIONS`,
  // Runtimes: options, search paths and start-up files.
  runtimes: `
    NODE_* NPM_* NPX_* PNPM_* YARN_* COREPACK_* BUN_* DENO_* V8_* UV_* TS_NODE_* ELECTRON_* JEST_* VITEST_*
    PYTHON* PIP_* POETRY_* VIRTUAL_ENV CONDA_* PERL5* PERLIO PERL_* RUBYLIB RUBYOPT RUBYPATH RUBYSHELL GEM_*
    BUNDLE_* PHPRC PHP_* COMPOSER_* LUA_* TCLLIBPATH R_LIBS R_PROFILE R_ENVIRON JAVA_* JDK_* _JAVA_OPTIONS JVM_*
    CLASSPATH MAVEN_* GRADLE_* ANT_* SBT_* KOTLIN_* SCALA_* GROOVY_* GOPATH GOROOT GOFLAGS GOPROXY GOENV GOBIN
    GODEBUG GOOS GOARCH GOCACHE GOTOOLCHAIN GOPRIVATE GONOSUMDB GONOSUMCHECK GOSUMDB GOINSECURE GOEXPERIMENT
    GOWORK GO_* CGO_* CARGO_* CARGO RUSTC RUSTFLAGS RUSTC_* RUSTDOC* RUSTUP_* RUST_* DOTNET_* MSBUILD* NUGET_*
    COREHOST_* CORECLR_* COMPLUS_* ERL_* ELIXIR_* MIX_* HEX_*`,
  // Build tools and compilers.
  "build tools": `
    MAKE MAKEFLAGS MAKEFILES MAKELEVEL MAKEOVERRIDES MAKESHELL MFLAGS GNUMAKEFLAGS CC CXX CPP CFLAGS CXXFLAGS
    CPPFLAGS LDFLAGS LD AR AS CPATH C_INCLUDE_PATH CPLUS_INCLUDE_PATH OBJC_INCLUDE_PATH LIBRARY_PATH
    COMPILER_PATH GCC_* CCACHE_* CMAKE_* CTEST_* PKG_CONFIG* M4PATH YACC LEX`,
  // Programs that others start for you, and the files they read.
  programs: `
    EDITOR VISUAL PAGER MANPAGER MANOPT MANPATH BROWSER LESS LESSOPEN LESSCLOSE LESSKEY LESSEDIT LESSSECURE
    LESSHISTFILE MORE GREP_* LS_COLORS TAR_OPTIONS GZIP BZIP2 XZ_* ZSTD_* ZIPOPT UNZIP AWKPATH AWKLIBPATH GAWK_*
    SCREENRC TMUX TMUX_* VIMINIT EXINIT VIM VIMRUNTIME EMACSLOADPATH EMACSDATA EMACSPATH GIT_* HG HGRCPATH
    HGEDITOR HGMERGE SVN_* CVS_* SSH_* SUDO_* GPG_* GNUPGHOME PINENTRY_* RSYNC_* ANSIBLE_* TF_* VAGRANT_* HELM_*
    DOCKER_* BUILDKIT_* COMPOSE_* CONTAINER_* PODMAN_* KUBECONFIG KUBE_* KUBECTL_* PGOPTIONS PGSERVICEFILE
    PGSYSCONFDIR PSQLRC PSQL_* MYSQL_* SQLITE_*`,
  // Where the network goes, and whom it trusts.
  network: `
    HTTP_PROXY HTTPS_PROXY ALL_PROXY FTP_PROXY NO_PROXY SSL_* OPENSSL_* SSLKEYLOGFILE CURL_* WGETRC WGET_*
    REQUESTS_CA_BUNDLE NETRC KRB5* LDAPCONF LDAPRC LDAPTLS_* SASL_*`,
  // Desktops and sessions.
  sessions: `
    DBUS_* DISPLAY WAYLAND_DISPLAY XAUTHORITY SESSION_MANAGER LISTEN_* NOTIFY_SOCKET JOURNAL_STREAM
    INVOCATION_ID GIO_* GTK_* QT_* QML_*`,
};

/**
 * Variables that a key of the workflow's data never sets, because they change how programs are found, loaded or run, or what the
 * shell itself does. Each is the upper-case name, or with `*` at its end all that begin so.
 *
 * They keep the value that the host's environment gives them. A step that must set one says so in its own `env`, which is text
 * of the file's author, not data.
 */
export const reservedNames: readonly string[] = Object.values(groups).flatMap((names) => names.trim().split(/\s+/));

const exact = new Set(reservedNames.filter((name) => !name.endsWith("*")));
const prefixes = reservedNames.filter((name) => name.endsWith("*")).map((name) => name.slice(0, -1));

/** Whether a key of the data must not set this variable. */
export function isReservedName(name: string): boolean {
  return exact.has(name) || prefixes.some((prefix) => name.startsWith(prefix));
}

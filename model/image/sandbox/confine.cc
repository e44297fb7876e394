#include "model/image/sandbox/confine.h"

#include <fcntl.h>
#include <linux/capability.h>
#include <malloc.h>
#include <seccomp.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <ctime>
#include <memory>

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "model/image/memory.h"

namespace sightline::image {
namespace {

absl::Status Refused(absl::string_view step, int error) {
  return base::Error(absl::StatusCode::kResourceExhausted, "DECODER_NOT_CONFINED",
                     absl::StrCat(step, " fails: ", std::strerror(error)));
}

// Pages of address space in use; the first number of statm.
absl::StatusOr<int64_t> AddressSpace() {
  const int fd = ::open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
  char text[128] = {};
  const ssize_t size = fd < 0 ? -1 : ::read(fd, text, sizeof(text) - 1);
  const int error = errno;
  if (fd >= 0) ::close(fd);
  long long pages = 0;
  if (size <= 0 || std::sscanf(text, "%lld", &pages) != 1) return Refused("reading /proc/self/statm", error);
  return int64_t{pages} * ::sysconf(_SC_PAGESIZE);
}

// A server that runs as root has those that lift limits, and so has its helper until here.
absl::Status DropCapabilities() {
  __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
  const std::array<__user_cap_data_struct, _LINUX_CAPABILITY_U32S_3> none = {};
  return ::syscall(SYS_capset, &header, none.data()) == 0 ? absl::OkStatus() : Refused("giving up capabilities", errno);
}

absl::Status SetLimit(__rlimit_resource resource, rlim_t limit, const char* name) {
  const rlimit both = {limit, limit};
  return ::setrlimit(resource, &both) == 0 ? absl::OkStatus() : Refused(name, errno);
}

// What decoding calls, and nothing else. The rest fails with EPERM, so that a library which asks for something new does
// without it; what only an intruder would call ends the process.
absl::Status Filter(int socket) {
  const std::unique_ptr<void, void (*)(scmp_filter_ctx)> filter(seccomp_init(SCMP_ACT_ERRNO(EPERM)), seccomp_release);
  if (filter == nullptr) return Refused("making a seccomp filter", ENOMEM);
  int error = 0;
  const auto allow = [&](int call, std::initializer_list<scmp_arg_cmp> arguments = {}) {
    if (error != 0) return;
    error = seccomp_rule_add_array(filter.get(), SCMP_ACT_ALLOW, call, static_cast<unsigned>(arguments.size()),
                                   std::data(arguments));
  };
  const scmp_datum_t own = static_cast<scmp_datum_t>(socket);
  allow(SCMP_SYS(sendmsg), {SCMP_A0_64(SCMP_CMP_EQ, own, 0)});
  allow(SCMP_SYS(recvmsg), {SCMP_A0_64(SCMP_CMP_EQ, own, 0)});
  const scmp_arg_cmp not_executable = SCMP_A2_64(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0);
  allow(SCMP_SYS(mmap), {not_executable, SCMP_A3_64(SCMP_CMP_MASKED_EQ, MAP_ANONYMOUS, MAP_ANONYMOUS)});
  allow(SCMP_SYS(mprotect), {not_executable});
  for (const int resource : {RLIMIT_AS, RLIMIT_CPU}) {
    allow(SCMP_SYS(prlimit64),
          {SCMP_A0_64(SCMP_CMP_EQ, 0, 0), SCMP_A1_64(SCMP_CMP_EQ, static_cast<scmp_datum_t>(resource), 0)});
  }
  for (const int call : {SCMP_SYS(brk), SCMP_SYS(munmap), SCMP_SYS(mremap), SCMP_SYS(madvise), SCMP_SYS(futex),
                         SCMP_SYS(getrandom), SCMP_SYS(clock_gettime), SCMP_SYS(restart_syscall),
                         SCMP_SYS(rt_sigreturn), SCMP_SYS(exit), SCMP_SYS(exit_group)}) {
    allow(call);
  }
  for (const int call :
       {SCMP_SYS(execve), SCMP_SYS(execveat), SCMP_SYS(clone), SCMP_SYS(fork), SCMP_SYS(vfork), SCMP_SYS(socket),
        SCMP_SYS(connect), SCMP_SYS(ptrace), SCMP_SYS(process_vm_readv), SCMP_SYS(process_vm_writev), SCMP_SYS(kill)}) {
    if (error == 0) error = seccomp_rule_add(filter.get(), SCMP_ACT_KILL_PROCESS, call, 0);
  }
  if (error == 0) error = seccomp_load(filter.get());
  return error == 0 ? absl::OkStatus() : Refused("loading a seccomp filter", -error);
}

}  // namespace

absl::StatusOr<int64_t> Confine(int socket, int64_t max_pixels) {
  // Large blocks go back to the system when they are freed: one image leaves nothing behind for the next.
  mallopt(M_MMAP_THRESHOLD, 1 << 20);
  mallopt(M_TRIM_THRESHOLD, 1 << 20);
  SIGHTLINE_ASSIGN_OR_RETURN(const int64_t base, AddressSpace());
  SIGHTLINE_RETURN_IF_ERROR(DropCapabilities());
  SIGHTLINE_RETURN_IF_ERROR(SetLimit(RLIMIT_AS, base + MemoryLimit(max_pixels), "limiting memory"));
  SIGHTLINE_RETURN_IF_ERROR(SetLimit(RLIMIT_CORE, 0, "forbidding core dumps"));
  SIGHTLINE_RETURN_IF_ERROR(SetLimit(RLIMIT_FSIZE, 0, "forbidding files"));
  SIGHTLINE_RETURN_IF_ERROR(SetLimit(RLIMIT_NOFILE, 0, "forbidding new files"));
  if (::prctl(PR_SET_DUMPABLE, 0) != 0) return Refused("hiding memory from other processes", errno);
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return Refused("giving up new privileges", errno);
  SIGHTLINE_RETURN_IF_ERROR(Filter(socket));
  return base;
}

void LimitJob(int64_t address_space, int cpu_seconds) {
  rlimit limit = {};
  // Both can only fail where the hard limit is lower, and then that one holds.
  if (::getrlimit(RLIMIT_AS, &limit) == 0) {
    limit.rlim_cur = std::min(static_cast<rlim_t>(address_space), limit.rlim_max);
    (void)::setrlimit(RLIMIT_AS, &limit);
  }
  timespec used = {};
  if (::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used) == 0 && ::getrlimit(RLIMIT_CPU, &limit) == 0) {
    limit.rlim_cur = std::min(static_cast<rlim_t>(used.tv_sec) + 1 + static_cast<rlim_t>(cpu_seconds), limit.rlim_max);
    (void)::setrlimit(RLIMIT_CPU, &limit);
  }
}

}  // namespace sightline::image

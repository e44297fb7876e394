#include "server/observe/process.h"

#include <dirent.h>
#include <sys/resource.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <fstream>
#include <iterator>
#include <memory>

#include "absl/strings/numbers.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"

namespace sightline::server {
namespace {

// Positions in /proc/self/stat behind the name of the program, which may hold spaces: see proc(5).
constexpr size_t kThreads = 17;
constexpr size_t kStartTicks = 19;
constexpr size_t kVirtualBytes = 20;
constexpr size_t kResidentPages = 21;

template <typename Number>
Number ToNumber(absl::string_view text) {
  int64_t number = 0;
  return absl::SimpleAtoi(text, &number) ? static_cast<Number>(number) : 0;
}

// A file of /proc says that it has no bytes, so it is read to its end.
std::string ReadProc(const char* path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

// When the machine started, in seconds since 1970.
double BootSeconds() {
  const std::string text = ReadProc("/proc/stat");
  for (absl::string_view line : absl::StrSplit(text, '\n')) {
    if (absl::ConsumePrefix(&line, "btime ")) return ToNumber<double>(line);
  }
  return 0;
}

int64_t CountOpenFiles() {
  const std::unique_ptr<DIR, int (*)(DIR*)> folder(opendir("/proc/self/fd"), &closedir);
  if (folder == nullptr) return 0;
  int64_t entries = 0;
  while (readdir(folder.get()) != nullptr) ++entries;
  return entries - 3;  // ".", ".." and the folder itself
}

double SecondsOf(const timeval& time) {
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
}

}  // namespace

ProcessUse ReadProcessUse() {
  ProcessUse use;
  rusage usage{};
  if (getrusage(RUSAGE_SELF, &usage) == 0) use.cpu_seconds = SecondsOf(usage.ru_utime) + SecondsOf(usage.ru_stime);
  rlimit files{};
  if (getrlimit(RLIMIT_NOFILE, &files) == 0) use.max_files = static_cast<int64_t>(files.rlim_cur);
  use.open_files = CountOpenFiles();
  const std::string text = ReadProc("/proc/self/stat");
  const size_t name_end = text.rfind(") ");
  if (name_end == std::string::npos) return use;
  const std::vector<std::string> fields = absl::StrSplit(text.substr(name_end + 2), ' ');
  if (fields.size() <= kResidentPages) return use;
  use.threads = ToNumber<int64_t>(fields[kThreads]);
  use.virtual_bytes = ToNumber<int64_t>(fields[kVirtualBytes]);
  use.resident_bytes = ToNumber<int64_t>(fields[kResidentPages]) * sysconf(_SC_PAGESIZE);
  static const double boot = BootSeconds();
  use.start_seconds = boot + ToNumber<double>(fields[kStartTicks]) / static_cast<double>(sysconf(_SC_CLK_TCK));
  return use;
}

DiskSpace ReadDiskSpace(const std::string& folder) {
  struct statvfs disk {};
  if (statvfs(folder.c_str(), &disk) != 0) return {};
  const auto size = static_cast<int64_t>(disk.f_frsize);
  return {static_cast<int64_t>(disk.f_blocks) * size, static_cast<int64_t>(disk.f_bavail) * size};
}

void AddProcessSamples(const std::string& data_folder, std::vector<Metrics::Sample>* samples) {
  const auto add = [samples](const char* name, auto value) {
    samples->push_back({name, {}, static_cast<double>(value)});
  };
  const ProcessUse use = ReadProcessUse();
  add("process_cpu_seconds_total", use.cpu_seconds);
  add("process_max_fds", use.max_files);
  add("process_open_fds", use.open_files);
  add("process_resident_memory_bytes", use.resident_bytes);
  add("process_start_time_seconds", use.start_seconds);
  add("process_threads", use.threads);
  add("process_virtual_memory_bytes", use.virtual_bytes);
  const DiskSpace disk = ReadDiskSpace(data_folder);
  add("sightline_disk_bytes", disk.bytes);
  add("sightline_disk_free_bytes", disk.free_bytes);
}

}  // namespace sightline::server

#include "server/doctor.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <thread>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/time/clock.h"
#include "base/version.h"
#include "index/examine.h"
#include "index/kernels/inner_product.h"
#include "server/doctor_security.h"
#include "server/file_limit.h"
#include "server/http/address.h"
#include "server/http/http_server.h"
#include "server/http/pages.h"

namespace sightline::server {
namespace {

using Verdict = DoctorLine::Verdict;

constexpr double kGib = 1 << 30;
// Less is filled by one batch of writes and the files that RocksDB needs beside it.
constexpr uint64_t kTooLittleDisk = uint64_t{64} << 20;
constexpr uint64_t kLittleDisk = uint64_t{2} << 30;
constexpr uint64_t kLittleMemory = uint64_t{1} << 30;

DoctorLine Ok(std::string what, std::string found) { return {std::move(what), Verdict::kOk, std::move(found)}; }
DoctorLine Warn(std::string what, std::string found) { return {std::move(what), Verdict::kWarn, std::move(found)}; }
DoctorLine Fault(std::string what, std::string found) { return {std::move(what), Verdict::kFail, std::move(found)}; }

std::string Gib(uint64_t bytes) { return absl::StrFormat("%.1f GiB", static_cast<double>(bytes) / kGib); }

DoctorLine CheckCpu() {
  const std::string level = index::kernels::LevelName();
  std::string found = absl::StrCat(level, ", ", std::thread::hardware_concurrency(), " cores");
  if (level != "scalar") return Ok("processor", std::move(found));
  return Warn("processor", absl::StrCat(found,
                                        ". It has no vector instructions that are used here: searches are "
                                        "several times slower. Use a machine with AVX2."));
}

// The first bytes of a file that the system makes when it is read, and that says that it has no size; empty without it.
std::string SystemFile(const char* path) {
  std::string text(8192, '\0');
  const int fd = ::open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return "";
  const ssize_t got = ::read(fd, text.data(), text.size());
  ::close(fd);
  text.resize(got > 0 ? static_cast<size_t>(got) : 0);
  return text;
}

// Of the system, or of the control group where that has less; 0 when it is not known.
uint64_t AvailableMemory() {
  uint64_t kilobytes = 0;
  const std::string info = SystemFile("/proc/meminfo");
  for (const absl::string_view line : absl::StrSplit(info, '\n')) {
    const std::vector<absl::string_view> words = absl::StrSplit(line, ' ', absl::SkipEmpty());
    if (words.size() >= 2 && words[0] == "MemAvailable:" && !absl::SimpleAtoi(words[1], &kilobytes)) kilobytes = 0;
  }
  uint64_t available = kilobytes << 10;
  for (const char* path : {"/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"}) {
    uint64_t limit = 0;
    if (absl::SimpleAtoi(SystemFile(path), &limit) && limit > 0) available = std::min(available, limit);
  }
  return available;
}

DoctorLine CheckDevices(const ServerOptions& options, const absl::Status& devices) {
  if (!devices.ok()) return Fault("devices", std::string(devices.message()));
  const auto name = [](std::string* out, const model::Device& device) { absl::StrAppend(out, device.Name()); };
  const std::string found =
      absl::StrCat("--device=", options.device, ": models compute on ", absl::StrJoin(options.devices, ", ", name));
  if (options.device != "auto" || options.devices.front().cuda) return Ok("devices", found);
  return Ok("devices", absl::StrCat(found, "; there is no card that LibTorch can use"));
}

DoctorLine CheckMemory(const ServerOptions& options) {
  const uint64_t available = AvailableMemory();
  const auto budget = static_cast<uint64_t>(static_cast<int64_t>(options.limits.memory_budget_bytes));
  const std::string found =
      absl::StrCat(Gib(available), " available, ",
                   budget == 0 ? "no --memory_budget" : absl::StrCat("--memory_budget is ", Gib(budget)));
  if (available < kLittleMemory) {
    return Warn("memory", absl::StrCat(found,
                                       ". Models alone take hundreds of megabytes: free some, or start with "
                                       "--low_memory."));
  }
  if (budget > available) {
    return Warn("memory", absl::StrCat(found,
                                       ". The system ends a server that takes more than there is: lower the "
                                       "budget and leave room for models."));
  }
  return Ok("memory", found);
}

DoctorLine CheckFiles() {
  const uint64_t limit = RaiseFileLimit();  // as the server does
  const std::string found = absl::StrCat(limit, " open files allowed");
  if (limit >= kFewFiles) return Ok("open files", found);
  return Warn("open files", absl::StrCat(found, "; ", kFewFiles,
                                         " is what many connections and collections need. Raise it (ulimit -n, "
                                         "LimitNOFILE= of systemd)."));
}

// The folder itself, or the nearest one above it that exists.
std::string NearestFolder(std::string path) {
  struct stat info {};
  while (!path.empty() && ::stat(path.c_str(), &info) != 0) {
    const size_t slash = path.rfind('/');
    path = slash == std::string::npos ? "." : path.substr(0, slash);
  }
  return path.empty() ? "/" : path;
}

DoctorLine CheckDisk(const std::string& folder) {
  struct statvfs disk {};
  if (::statvfs(folder.c_str(), &disk) != 0) {
    return Fault("disk", absl::StrCat("cannot ask how much is free at ", folder, ": ", std::strerror(errno),
                                      ". Check --data_dir."));
  }
  const uint64_t free = uint64_t{disk.f_bavail} * disk.f_frsize;
  const std::string found = absl::StrCat(Gib(free), " free");
  if (free < kTooLittleDisk) {
    return Fault("disk", absl::StrCat(found,
                                      ": writes are refused. Free some space, or start with --recovery and "
                                      "delete images."));
  }
  if (free < kLittleDisk) return Warn("disk", absl::StrCat(found, ". Free some before it is full."));
  return Ok("disk", found);
}

DoctorLine CheckAccess(const std::string& data_dir, const std::string& folder) {
  if (::access(folder.c_str(), R_OK | W_OK | X_OK) == 0) {
    return Ok("data directory", folder == data_dir ? data_dir : absl::StrCat(data_dir, " will be made"));
  }
  return Fault("data directory", absl::StrCat(folder, " cannot be written by user ", ::geteuid(), ": ",
                                              std::strerror(errno), ". Give it to that user, or run as its owner."));
}

DoctorLine CheckClock(const std::string& data_dir) {
  struct stat info {};
  const absl::Time now = absl::Now();
  const std::string found = absl::FormatTime("%Y-%m-%d %H:%M:%S UTC", now, absl::UTCTimeZone());
  if (::stat(absl::StrCat(data_dir, "/operations").c_str(), &info) == 0 &&
      absl::TimeFromTimespec(info.st_mtim) > now + absl::Minutes(5)) {
    return Warn("clock", absl::StrCat(found,
                                      ", and there are data written later than that. Set the clock: times of "
                                      "images and of kept request ids come from it."));
  }
  if (now < absl::FromUnixSeconds(1'700'000'000)) return Warn("clock", absl::StrCat(found, ". Set the clock."));
  return Ok("clock", found);
}

// Whether a server holds the directory's lock.
bool ServerRuns(const std::string& data_dir) {
  const int fd = ::open(absl::StrCat(data_dir, "/LOCK").c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return false;
  const bool held = ::flock(fd, LOCK_SH | LOCK_NB) != 0 && errno == EWOULDBLOCK;
  ::close(fd);
  return held;
}

void CheckPorts(const ServerOptions& options, bool runs, std::vector<DoctorLine>* lines) {
  for (const auto& [flag, address] :
       {std::pair("listen", &options.listen), std::pair("admin_grpc_listen", &options.admin_grpc_listen),
        std::pair("http_listen", &options.http_listen), std::pair("admin_listen", &options.admin_listen)}) {
    if (address->empty()) continue;
    const std::string what = absl::StrCat("--", flag);
    Pages none({});
    const auto bound = HttpServer::Start({.address = *address}, &none);
    if (bound.ok()) {
      lines->push_back(Ok(what, absl::StrCat(*address, " is free")));
    } else if (runs) {
      lines->push_back(Ok(what, absl::StrCat(*address, " is in use, and a server runs on this data directory")));
    } else {
      lines->push_back(Fault(what, std::string(bound.status().message())));
    }
  }
}

DoctorLine CheckModel(const std::string& what, const absl::StatusOr<std::unique_ptr<model::Model>>& model,
                      const model::Device& device, bool or_cpu) {
  if (!model.ok() && or_cpu && device.cuda) {
    return Warn(what, absl::StrCat("cannot be loaded on ", device.Name(), ": ", model.status().message(),
                                   " Where no card takes it, it is served on the CPU."));
  }
  if (!model.ok()) return Fault(what, std::string(model.status().message()));
  const model::ModelInfo& info = (*model)->info();
  if (info.untrained) {
    return Warn(what,
                "has no weights and runs UNTRAINED, because --allow_untrained is set. Put "
                "weights.safetensors beside its model.json.");
  }
  return Ok(what, absl::StrCat(info.architecture, ", ", info.numeric, ", space ", info.embedding_space.substr(0, 12)));
}

DoctorLine CheckIndexCard(const IndexCardOptions& options) {
  constexpr char kWhat[] = "index device";
  const auto card = FindIndexCard(options);
  if (card.ok()) return Ok(kWhat, absl::StrCat("cuda:", (*card)->device(), ", ", (*card)->name()));
  const std::string why(card.status().message());
  return options.choice.kind == CardChoice::Kind::kCard ? Fault(kWhat, why) : Ok(kWhat, absl::StrCat("cpu: ", why));
}

void CheckModels(const ServerOptions& options, const App::LoadModel& load_model, std::vector<DoctorLine>* lines) {
  const Placement placement = PlacementOf(options);
  if (options.models.empty()) lines->push_back(Ok("models", "none named: the server takes descriptors only"));
  for (const std::string& name : options.models) {
    const std::string what = absl::StrCat("model ", name);
    const absl::Status status = ModelHub::CheckName(name);
    if (status.ok()) {
      for (const model::LoadOptions& load :
           placement.LoadsOf(name, {.allow_untrained = options.allow_untrained, .intra_op_threads = 1})) {
        const auto model = load_model(absl::StrCat(options.model_root, "/", name), load);
        lines->push_back(CheckModel(what, model, load.device, placement.or_cpu));
      }
      continue;
    }
    lines->push_back(Fault(what, std::string(status.message())));
  }
}

}  // namespace

std::vector<DoctorLine> Diagnose(const ServerOptions& options, const App::LoadModel& load_model, const BlasCheck& blas,
                                 const absl::Status& devices) {
  std::vector<DoctorLine> lines;
  const std::string folder = NearestFolder(options.data_dir);
  const bool runs = ServerRuns(options.data_dir);
  lines.push_back(Ok("version", base::VersionText()));
  lines.push_back(CheckCpu());
  lines.push_back(blas.warning.empty() ? Ok("BLAS", blas.name)
                                       : Warn("BLAS", absl::StrCat(blas.name, ". ", blas.warning)));
  lines.push_back(CheckDevices(options, devices));
  lines.push_back(CheckMemory(options));
  lines.push_back(CheckFiles());
  lines.push_back(CheckClock(options.data_dir));
  lines.push_back(Ok("settings", "every one is within its limits"));
  CheckPorts(options, runs, &lines);
  if (options.index_card.choice.kind != CardChoice::Kind::kCpu) lines.push_back(CheckIndexCard(options.index_card));
  for (DoctorLine& line : CheckSecurity(options)) lines.push_back(std::move(line));
  lines.push_back(CheckDecoder(options));
  CheckModels(options, load_model, &lines);
  lines.push_back(CheckDisk(folder));
  lines.push_back(CheckAccess(options.data_dir, folder));
  if (runs) {
    lines.push_back(Warn("data directory",
                         "a server runs on it and writes meanwhile: what looks damaged may be a file "
                         "that it has just replaced. Stop it for a check that can be trusted."));
  }
  for (const index::Examined& examined : index::ExamineDirectory(options.data_dir, options.limits.record)) {
    lines.push_back(examined.status.ok() ? Ok(examined.what, examined.found)
                                         : Fault(examined.what, std::string(examined.status.message())));
  }
  return lines;
}

std::string DoctorTable(const std::vector<DoctorLine>& lines) {
  size_t width = 0;
  for (const DoctorLine& line : lines) width = std::max(width, line.what.size());
  std::string out;
  for (const DoctorLine& line : lines) {
    const char* verdict = line.verdict == Verdict::kOk ? "ok" : line.verdict == Verdict::kWarn ? "warn" : "FAIL";
    absl::StrAppendFormat(&out, "%-4s  %-*s  %s\n", verdict, static_cast<int>(width), line.what, line.found);
  }
  return out;
}

bool AnyFailed(const std::vector<DoctorLine>& lines) {
  return std::any_of(lines.begin(), lines.end(), [](const DoctorLine& l) { return l.verdict == Verdict::kFail; });
}

}  // namespace sightline::server

#include "model/image/sandbox/helper_link.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <ctime>
#include <optional>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "base/status.h"

namespace sightline::image {
namespace {

// Kept between images: most photographs fit, and pages that are there already cost nothing.
constexpr size_t kKeptInput = size_t{8} << 20;
constexpr size_t kKeptPixels = size_t{48} << 20;

constexpr absl::Duration kStartTime = absl::Seconds(10);
// How often a helper at work is looked at, and how long one may stand still: stopped, or waiting for what never comes.
constexpr absl::Duration kLook = absl::Milliseconds(250);
constexpr absl::Duration kNoProgress = absl::Seconds(1);
// A helper that shares its processor with many may be late by the clock, and not by its own time.
constexpr int kMostClockTimes = 10;

absl::Status MemoryError(absl::string_view step, int error) {
  return base::Error(absl::StatusCode::kResourceExhausted, "DECODER_NOT_STARTED",
                     absl::StrCat("memory shared with the image decoder cannot be had: ", step,
                                  " fails: ", std::strerror(error), ". Free memory, or lower --max_pixels."));
}

// Processor time of a process so far; zero when it is gone.
absl::Duration ProcessorTime(pid_t pid) {
  clockid_t clock = {};
  timespec used = {};
  if (::clock_getcpuclockid(pid, &clock) != 0 || ::clock_gettime(clock, &used) != 0) return absl::ZeroDuration();
  return absl::DurationFromTimespec(used);
}

bool Readable(int socket, absl::Duration wait) {
  pollfd entry = {socket, POLLIN, 0};
  const absl::Time end = absl::Now() + wait;
  while (true) {
    const int64_t left = absl::ToInt64Milliseconds(absl::Ceil(end - absl::Now(), absl::Milliseconds(1)));
    const int ready = ::poll(&entry, 1, static_cast<int>(std::max<int64_t>(0, left)));
    if (ready >= 0) return ready > 0;
    if (errno != EINTR) return true;  // receiving says what is wrong
  }
}

// The first `used` bytes of a part of the shared memory are zero afterwards, and those from `kept` on take no memory.
void Clear(uint8_t* part, size_t size, size_t used, size_t kept) {
  std::memset(part, 0, std::min(used, kept));
  if (used <= kept) return;
  // Frees whole pages of the file behind the mapping. It does not fail on a memfd without huge pages; where it did,
  // the bytes would have to go the other way.
  if (::madvise(part + kept, size - kept, MADV_REMOVE) != 0) std::memset(part + kept, 0, used - kept);
}

enum class Heard { kNothing, kNonsense, kAnswer };

// `number`: of the job that must be answered.
Heard Receive(int socket, uint64_t number, DecodeAnswer* answer) {
  std::array<char, 2 * kMostAnswerBytes> bytes;
  const ssize_t size = ReceiveMessage(socket, bytes.data(), bytes.size());
  if (size <= 0) return Heard::kNothing;
  const bool parsed = ParseAnswer({bytes.data(), static_cast<size_t>(size)}, answer);
  return parsed && answer->number == number ? Heard::kAnswer : Heard::kNonsense;
}

}  // namespace

HelperLink::~HelperLink() {
  EndProcess();
  if (memory_ != nullptr) ::munmap(memory_, layout_.input_bytes + layout_.output_bytes);
  if (memory_fd_ >= 0) ::close(memory_fd_);
}

absl::Status HelperLink::MapMemory() {
  const size_t size = layout_.input_bytes + layout_.output_bytes;
  const int fd = ::memfd_create("sightline-image", MFD_CLOEXEC | MFD_ALLOW_SEALING);
  if (fd < 0) return MemoryError("memfd_create", errno);
  memory_fd_ = fd;
  // Pages come with their first use. A helper that could cut the file short would end the server with SIGBUS.
  if (::ftruncate(fd, static_cast<off_t>(size)) != 0) return MemoryError("ftruncate", errno);
  if (::fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) != 0) return MemoryError("sealing", errno);
  void* const mapped = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, fd, 0);
  if (mapped == MAP_FAILED) return MemoryError("mmap", errno);
  memory_ = static_cast<uint8_t*>(mapped);
  return absl::OkStatus();
}

absl::Status HelperLink::Restart() {
  EndProcess();
  if (memory_ == nullptr) {
    if (memory_fd_ >= 0) ::close(memory_fd_);
    memory_fd_ = -1;
    SIGHTLINE_RETURN_IF_ERROR(MapMemory());
  }
  std::array<int, 2> ends = {-1, -1};
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends.data()) != 0) {
    return MemoryError("socketpair", errno);
  }
  socket_ = ends[0];
  const absl::StatusOr<HelperProcess> process = spawner_->StartHelper(layout_, memory_fd_, ends[1]);
  ::close(ends[1]);
  if (!process.ok()) {
    EndProcess();
    return process.status();
  }
  process_ = *process;
  DecodeAnswer hello;
  const bool heard = Readable(socket_, kStartTime) && Receive(socket_, 0, &hello) == Heard::kAnswer;
  if (heard && hello.status.ok()) return absl::OkStatus();
  EndProcess();
  return base::FailedPrecondition(
      "DECODER_NOT_STARTED",
      absl::StrCat(
          "an image decoder does not start: ", heard ? hello.status.message() : absl::string_view("it says nothing"),
          ". Allow it (seccomp, no_new_privs and resource limits need no privileges), or decode in the server "
          "with --decode_isolation=none."));
}

bool HelperLink::Running() const {
  // An idle helper says nothing: what can be received is the end of the connection.
  return process_.pid > 0 && !Readable(socket_, absl::ZeroDuration());
}

std::optional<int> HelperLink::EndProcess() {
  if (socket_ >= 0) ::close(socket_);
  socket_ = -1;
  if (process_.pid <= 0) return std::nullopt;
  const std::optional<int> status = spawner_->EndHelper(process_);
  process_ = {};
  if (!status.has_value()) return std::nullopt;
  return WIFSIGNALED(*status) ? WTERMSIG(*status) : 0;
}

bool HelperLink::WaitForAnswer(absl::Duration time) const {
  const absl::Duration before = ProcessorTime(process_.pid);
  const absl::Time start = absl::Now();
  absl::Duration seen = before;
  absl::Time progress = start;
  while (true) {
    if (Readable(socket_, std::min(kLook, time))) return true;
    const absl::Duration used = ProcessorTime(process_.pid);
    const absl::Time now = absl::Now();
    if (used != seen) progress = now;
    seen = used;
    const bool stuck = now - start >= time && now - progress >= kNoProgress;
    if (stuck || used - before >= time || now - start >= kMostClockTimes * time) return false;
  }
}

HelperLink::End HelperLink::Run(absl::string_view encoded, const Limits& limits, int wanted_side, absl::Duration time,
                                absl::Status* status, std::optional<int>* signal) {
  std::memcpy(memory_, encoded.data(), encoded.size());
  DecodeJob job;
  job.number = ++jobs_;
  job.encoded_bytes = encoded.size();
  job.limits = limits;
  job.wanted_side = wanted_side;
  job.cpu_seconds = static_cast<int>(absl::ToInt64Seconds(absl::Ceil(time, absl::Seconds(1)))) + 1;
  DecodeAnswer answer;
  End end = End::kDied;
  Heard heard = Heard::kNothing;
  if (SendMessage(socket_, &job, sizeof(job)) == 0) {
    if (!WaitForAnswer(time)) {
      end = End::kTimedOut;
    } else {
      heard = Receive(socket_, job.number, &answer);
    }
  }
  if (heard == Heard::kAnswer) {
    *status = std::move(answer.status);
    return End::kAnswered;
  }
  *signal = EndProcess();
  // It lived, and was ended here: what it worked on has made it say what no decoder says.
  if (heard == Heard::kNonsense) *signal = 0;
  return end;
}

void HelperLink::Forget(size_t encoded_bytes, size_t pixel_bytes) {
  Clear(memory_, layout_.input_bytes, encoded_bytes, kKeptInput);
  Clear(memory_ + layout_.input_bytes, layout_.output_bytes, pixel_bytes, kKeptPixels);
}

}  // namespace sightline::image

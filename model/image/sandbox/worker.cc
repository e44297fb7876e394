#include "model/image/sandbox/worker.h"

#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <new>
#include <string>

#include "base/status.h"
#include "model/image/codec.h"
#include "model/image/encode.h"
#include "model/image/errors.h"
#include "model/image/memory.h"
#include "model/image/sandbox/confine.h"

namespace sightline::image {
namespace {

constexpr int kExitDone = 0;
constexpr int kExitRefused = 1;

// Libraries look at the machine when they are first used; afterwards they may not ask any more.
void WarmUpCodecs() {
  const absl::StatusOr<std::string> jpeg = EncodeJpeg({8, 8, std::vector<uint8_t>(8 * 8 * 3), 8, 8}, 80);
  if (jpeg.ok()) Decode(*jpeg, {}, {}).IgnoreError();
}

bool Answer(int socket, const DecodeAnswer& answer) {
  const std::string bytes = EncodeAnswer(answer);
  return SendMessage(socket, bytes.data(), bytes.size()) == 0;
}

class Worker {
 public:
  Worker(uint8_t* memory, const SharedLayout& layout, int64_t base) : memory_(memory), layout_(layout), base_(base) {}

  absl::Status Do(const DecodeJob& job) {
    if (job.encoded_bytes > layout_.input_bytes) return absl::OkStatus();  // no job of this server
    const absl::string_view encoded(reinterpret_cast<const char*>(memory_), job.encoded_bytes);
    LimitJob(base_ + kMemoryBase, job.cpu_seconds);
    SIGHTLINE_ASSIGN_OR_RETURN(const Header header, ReadHeader(encoded, job.limits));
    const int64_t shared = OutputBytes(header, job.wanted_side) + static_cast<int64_t>(job.encoded_bytes);
    LimitJob(base_ + MemoryLimit(int64_t{header.width} * header.height) - shared, job.cpu_seconds);
    errno = 0;
    try {
      const absl::Status status = DecodePixels(encoded, header, job.wanted_side, [this](size_t bytes) {
        if (bytes > layout_.output_bytes) throw std::bad_alloc();
        return memory_ + layout_.input_bytes;
      });
      // It is the limit for this image that was met, not that of the machine. libwebp calls some of it damage.
      const bool starved = absl::IsResourceExhausted(status) || (!status.ok() && errno == ENOMEM);
      return starved ? TooMuchMemory(header) : status;
    } catch (const std::bad_alloc&) {
      return TooMuchMemory(header);
    }
  }

 private:
  uint8_t* const memory_;
  const SharedLayout layout_;
  const int64_t base_;
};

}  // namespace

int RunWorker(int socket, int memory, const SharedLayout& layout) {
  void* const mapped = ::mmap(nullptr, layout.input_bytes + layout.output_bytes, PROT_READ | PROT_WRITE,
                              MAP_SHARED | MAP_NORESERVE, memory, 0);
  ::close(memory);
  if (mapped == MAP_FAILED) {
    Answer(socket, {0, base::Error(absl::StatusCode::kResourceExhausted, "DECODER_NOT_CONFINED",
                                   "mapping shared memory fails")});
    return kExitRefused;
  }
  WarmUpCodecs();
  const absl::StatusOr<int64_t> base = Confine(socket, layout.max_pixels);
  if (!Answer(socket, {0, base.status()}) || !base.ok()) return kExitRefused;
  Worker worker(static_cast<uint8_t*>(mapped), layout, *base);
  DecodeJob job;
  while (true) {
    const ssize_t size = ReceiveMessage(socket, &job, sizeof(job));
    if (size == 0) return kExitDone;
    if (size != sizeof(job)) return kExitRefused;
    if (!Answer(socket, {job.number, worker.Do(job)})) return kExitDone;
  }
}

}  // namespace sightline::image

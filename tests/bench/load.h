// A closed-loop load: as many requests in flight as asked, each answered one replaced at once, on one client thread.
//
// Threading: blocks the calling thread. Failure: counted in `failed`.
#ifndef SIGHTLINE_TESTS_BENCH_LOAD_H_
#define SIGHTLINE_TESTS_BENCH_LOAD_H_

#include <grpcpp/grpcpp.h>

#include <algorithm>
#include <chrono>
#include <functional>
#include <memory>
#include <vector>

namespace sightline::bench {

struct LoadResult {
  double per_second = 0;
  double p50_ms = 0;
  double p99_ms = 0;
  int64_t answered = 0;
  int64_t failed = 0;
};

// `start(context, queue)` begins one asynchronous unary call and returns its reader.
template <typename Reply>
LoadResult RunLoad(int in_flight, std::chrono::milliseconds duration,
                   const std::function<std::unique_ptr<grpc::ClientAsyncResponseReader<Reply>>(
                       grpc::ClientContext*, grpc::CompletionQueue*)>& start) {
  using Clock = std::chrono::steady_clock;
  struct Slot {
    std::unique_ptr<grpc::ClientContext> context;
    std::unique_ptr<grpc::ClientAsyncResponseReader<Reply>> reader;
    Reply reply;
    grpc::Status status;
    Clock::time_point begin;
  };
  grpc::CompletionQueue queue;
  std::vector<Slot> slots(static_cast<size_t>(in_flight));
  const auto launch = [&](Slot* slot) {
    slot->context = std::make_unique<grpc::ClientContext>();
    slot->begin = Clock::now();
    slot->reader = start(slot->context.get(), &queue);
    slot->reader->Finish(&slot->reply, &slot->status, slot);
  };
  LoadResult result;
  std::vector<double> latencies;
  const Clock::time_point begin = Clock::now();
  const Clock::time_point end = begin + duration;
  for (Slot& slot : slots) launch(&slot);
  for (int open = in_flight; open > 0;) {
    void* tag = nullptr;
    bool ok = false;
    queue.Next(&tag, &ok);
    Slot* slot = static_cast<Slot*>(tag);
    const Clock::time_point now = Clock::now();
    slot->status.ok() ? ++result.answered : ++result.failed;
    latencies.push_back(std::chrono::duration<double, std::milli>(now - slot->begin).count());
    if (now < end) {
      launch(slot);
    } else {
      --open;
    }
  }
  const double seconds = std::chrono::duration<double>(Clock::now() - begin).count();
  queue.Shutdown();
  std::sort(latencies.begin(), latencies.end());
  result.per_second = static_cast<double>(result.answered) / seconds;
  result.p50_ms = latencies[latencies.size() / 2];
  result.p99_ms = latencies[latencies.size() * 99 / 100];
  return result;
}

}  // namespace sightline::bench

#endif  // SIGHTLINE_TESTS_BENCH_LOAD_H_

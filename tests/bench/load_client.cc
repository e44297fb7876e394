#include "tests/bench/load_client.h"

#include <grpcpp/alarm.h>

#include <algorithm>
#include <atomic>
#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"

namespace sightline::bench {
namespace {

using Clock = std::chrono::steady_clock;

constexpr int kConnections = 8;
constexpr char kRetryInfo[] = "google.rpc.RetryInfo";

double Seconds(Clock::duration duration) { return std::chrono::duration<double>(duration).count(); }

double ModelMilliseconds(const google::protobuf::RepeatedPtrField<v1::StageTime>& stages) {
  for (const v1::StageTime& stage : stages) {
    if (stage.stage() == "embed") return stage.milliseconds();
  }
  return 0;
}

bool IsOf(const LoadAnswer& answer, LoadFigures::Kind kind) {
  return kind == LoadFigures::Kind::kAll || answer.is_write == (kind == LoadFigures::Kind::kWrites);
}

}  // namespace

struct LoadClient::Call {
  std::unique_ptr<grpc::ClientContext> context;
  std::unique_ptr<grpc::ClientAsyncResponseReader<v1::SearchResponse>> search;
  std::unique_ptr<grpc::ClientAsyncResponseReader<v1::IndexResponse>> index;
  v1::SearchResponse found;
  v1::IndexResponse written;
  grpc::Status status;
  Clock::time_point due;
  Clock::time_point answered;
  std::chrono::milliseconds deadline{60'000};
  bool is_index = false;
  bool pausing = false;
  grpc::Alarm pause;
  grpc::CompletionQueue* queue = nullptr;
};

double LoadFigures::Goodput() const {
  const auto in_time =
      std::count_if(answers.begin(), answers.end(), [this](const LoadAnswer& answer) { return answer.at <= seconds; });
  return seconds > 0 ? static_cast<double>(in_time) / seconds : 0;
}

int64_t LoadFigures::answered(Kind kind) const {
  return std::count_if(answers.begin(), answers.end(), [kind](const LoadAnswer& answer) { return IsOf(answer, kind); });
}

double LoadFigures::Percentile(double share, Kind kind) const {
  std::vector<double> sorted;
  for (const LoadAnswer& answer : answers) {
    if (IsOf(answer, kind)) sorted.push_back(answer.milliseconds);
  }
  if (sorted.empty()) return 0;
  std::sort(sorted.begin(), sorted.end());
  return sorted[std::min(sorted.size() - 1, static_cast<size_t>(share * static_cast<double>(sorted.size())))];
}

LoadClient::LoadClient(const std::string& address, std::string collection, std::vector<std::string> pictures,
                       unsigned seed)
    : collection_(std::move(collection)), pictures_(std::move(pictures)), random_(seed) {
  for (int i = 0; i < kConnections; ++i) {
    grpc::ChannelArguments arguments;
    arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
    arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
    const auto channel = grpc::CreateCustomChannel(address, grpc::InsecureChannelCredentials(), arguments);
    stubs_.push_back({v1::SearchService::NewStub(channel), v1::IndexService::NewStub(channel)});
  }
}

void LoadClient::Start(Call* call) {
  const size_t number = next_++;
  const Stubs& stubs = stubs_[number % stubs_.size()];
  const std::string& picture = pictures_[number % pictures_.size()];
  call->context = std::make_unique<grpc::ClientContext>();
  call->context->set_deadline(std::chrono::system_clock::now() + call->deadline);
  if (call->is_index) {
    v1::IndexRequest request;
    request.set_collection(collection_);
    // Over and over the same ids: the collection stays as large as it is.
    request.mutable_item()->set_id(absl::StrCat("picture-", number % pictures_.size()));
    request.mutable_item()->set_image(picture);
    call->index = stubs.index->AsyncIndex(call->context.get(), request, call->queue);
    call->index->Finish(&call->written, &call->status, call);
  } else {
    v1::SearchRequest request;
    request.set_collection(collection_);
    request.set_top_k(5);
    request.mutable_query()->add_parts()->set_image(picture);
    call->search = stubs.search->AsyncSearch(call->context.get(), request, call->queue);
    call->search->Finish(&call->found, &call->status, call);
  }
}

void LoadClient::Note(const Call& call, Clock::time_point begin, LoadFigures* figures) const {
  const bool has_delay = call.status.error_details().find(kRetryInfo) != std::string::npos;
  switch (call.status.error_code()) {
    case grpc::StatusCode::OK:
      figures->answers.push_back(
          {.milliseconds = 1e3 * Seconds(call.answered - call.due),
           .model_milliseconds = ModelMilliseconds(call.is_index ? call.written.stages() : call.found.stats().stages()),
           .at = Seconds(call.answered - begin),
           .is_write = call.is_index});
      return;
    case grpc::StatusCode::DEADLINE_EXCEEDED: ++figures->late; return;
    case grpc::StatusCode::RESOURCE_EXHAUSTED:
    case grpc::StatusCode::UNAVAILABLE:
      if (has_delay) {
        ++figures->shed;
        return;
      }
      break;
    default: break;
  }
  if (figures->failed++ == 0) {
    figures->error = absl::StrCat(call.status.error_code(), " ", call.status.error_message());
  }
}

LoadFigures LoadClient::RunClosed(const Closed& load) {
  LoadFigures figures;
  grpc::CompletionQueue queue;
  std::uniform_int_distribution<int> deadline(load.least_deadline_ms,
                                              std::max(load.least_deadline_ms, load.most_deadline_ms));
  std::vector<Call> calls(static_cast<size_t>(load.clients));
  const Clock::time_point begin = Clock::now();
  const Clock::time_point end = begin + load.duration;
  const auto launch = [&](Call* call) {
    if (load.most_deadline_ms > 0) call->deadline = std::chrono::milliseconds(deadline(random_));
    call->queue = &queue;
    call->due = Clock::now();
    ++figures.sent;
    Start(call);
  };
  for (Call& call : calls) launch(&call);
  for (int open = load.clients; open > 0;) {
    void* tag = nullptr;
    bool ok = false;
    queue.Next(&tag, &ok);
    Call* call = static_cast<Call*>(tag);
    if (!call->pausing) {
      call->answered = Clock::now();
      Note(*call, begin, &figures);
    }
    if (Clock::now() >= end) {
      --open;
    } else if (load.pause.count() > 0 && !call->pausing) {
      call->pausing = true;
      call->pause.Set(&queue, std::chrono::system_clock::now() + load.pause, call);
    } else {
      call->pausing = false;
      launch(call);
    }
  }
  figures.seconds = Seconds(Clock::now() - begin);
  queue.Shutdown();
  return figures;
}

LoadFigures LoadClient::RunOpen(const Open& load) {
  LoadFigures figures;
  grpc::CompletionQueue queue;
  std::atomic<int64_t> sent = 0;
  std::atomic<bool> all_sent = false;
  const Clock::time_point begin = Clock::now();
  const Clock::time_point end = begin + load.duration;
  std::thread answers([&] {
    int64_t taken = 0;
    void* tag = nullptr;
    bool ok = false;
    const auto poll = std::chrono::milliseconds(20);
    while (!all_sent || taken < sent) {
      if (queue.AsyncNext(&tag, &ok, std::chrono::system_clock::now() + poll) != grpc::CompletionQueue::GOT_EVENT)
        continue;
      ++taken;
      const std::unique_ptr<Call> call(static_cast<Call*>(tag));
      call->answered = Clock::now();
      Note(*call, begin, &figures);
    }
  });
  std::exponential_distribution<double> gap(load.rate);
  std::uniform_real_distribution<double> share;
  for (Clock::time_point due = begin; due < end;) {
    std::this_thread::sleep_until(due);
    auto call = std::make_unique<Call>();
    call->queue = &queue;
    call->due = due;
    call->is_index = share(random_) < load.index_share;
    ++sent;
    Start(call.release());
    due += std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(gap(random_)));
  }
  // What was asked for in this time; what comes later still counts as answered.
  figures.seconds = Seconds(Clock::now() - begin);
  all_sent = true;
  answers.join();
  figures.sent = sent;
  queue.Shutdown();
  return figures;
}

grpc::Status LoadClient::Fill() {
  for (size_t i = 0; i < pictures_.size(); ++i) {
    grpc::ClientContext context;
    v1::IndexRequest request;
    request.set_collection(collection_);
    request.mutable_item()->set_id(absl::StrCat("picture-", i));
    request.mutable_item()->set_image(pictures_[i]);
    v1::IndexResponse reply;
    if (grpc::Status status = stubs_[0].index->Index(&context, request, &reply); !status.ok()) return status;
  }
  return grpc::Status::OK;
}

}  // namespace sightline::bench

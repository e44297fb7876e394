#include "client/cpp/index_stream.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/time/clock.h"
#include "base/status.h"

namespace sightline::client {
namespace {

// Tags of the completion queue; one operation of each kind is under way at most.
enum Tag : intptr_t { kStarted = 1, kRead, kWritten, kWritesDone, kEnded };

void* ToTag(Tag tag) { return reinterpret_cast<void*>(tag); }

// How often the stop function is asked while nothing happens.
constexpr absl::Duration kTick = absl::Milliseconds(100);

// Connections that broke while an item was on its way, each after a reply to another: the item may be what fells the
// server. A server that answers nobody says nothing about an item.
constexpr int kMaxFalls = 8;

// An item has no deadline of its caller's: when the server's own has passed, or is too near, too much was before the
// item, and it may be in time later.
bool IsForNow(const absl::Status& status) {
  return IsRetryable(status) || status.code() == absl::StatusCode::kDeadlineExceeded;
}

}  // namespace

struct IndexStream::Connection {
  grpc::ClientContext context;
  std::unique_ptr<grpc::ClientAsyncReaderWriter<v1::IndexStreamRequest, v1::IndexStreamResponse>> stream;
  v1::IndexStreamResponse reply;
  grpc::Status status;
  bool started = false;
  bool writing = false;
  bool writable = true;  // until a write fails or WritesDone is asked for
  bool reads_over = false;
  bool ending = false;
  bool replied = false;
  bool timed_out = false;
};

IndexStream::IndexStream(v1::IndexService::Stub& stub, const Client::Options& client, const ItemSource& source,
                         const ItemCallback& on_outcome, const IndexManyOptions& options)
    : stub_(stub),
      client_(client),
      source_(source),
      on_outcome_(on_outcome),
      options_(options),
      random_(std::random_device()()),
      reconnect_at_(absl::InfinitePast()),
      last_reply_(absl::Now()) {}

IndexStream::~IndexStream() {
  if (connection_ != nullptr) connection_->context.TryCancel();  // a source or callback threw
  queue_.Shutdown();
  void* tag = nullptr;
  bool ok = false;
  while (queue_.Next(&tag, &ok)) {
  }
}

absl::StatusOr<IndexManySummary> IndexStream::Run() {
  while (true) {
    if (Stopped()) {
      // Nothing is sent again after a stop; what is in flight is awaited.
      source_ended_ = true;
      std::vector<std::string> waiting;
      for (const auto& [id, item] : items_) {
        if (!item.in_flight) waiting.push_back(id);
      }
      for (const std::string& id : waiting) Report(id, items_.at(id).status, {});
    }
    if (connection_ == nullptr) {
      if (fatal_) return *fatal_;
      if (Finished()) return summary_;
      if (absl::Now() >= reconnect_at_) Open();
    }
    Advance();
    void* tag = nullptr;
    bool ok = false;
    if (queue_.AsyncNext(&tag, &ok, absl::ToChronoTime(NextWakeUp())) == grpc::CompletionQueue::GOT_EVENT) {
      HandleEvent(tag, ok);
    }
    CheckReplyTimeout();
  }
}

bool IndexStream::Stopped() {
  if (!summary_.stopped && options_.stop && options_.stop()) summary_.stopped = true;
  return summary_.stopped;
}

bool IndexStream::HasRoom() const {
  return items_.empty() ||
         (static_cast<int>(items_.size()) < options_.max_in_flight && bytes_ < options_.max_in_flight_bytes);
}

IndexStream::Item* IndexStream::TakeFromSource() {
  const absl::Time begin = absl::Now();
  std::optional<v1::IndexRequest> request = source_();
  last_reply_ += absl::Now() - begin;  // replies wait while the source takes its time: the server is not silent
  if (!request) {
    source_ended_ = true;
    return nullptr;
  }
  if (request->request_id().empty()) request->set_request_id(RandomRequestId());
  const std::string request_id = request->request_id();
  const std::string item_id = request->item().id();
  const auto bytes = static_cast<int64_t>(request->ByteSizeLong());
  const auto refuse = [&](absl::string_view reason, absl::string_view message, base::ErrorFacts facts) -> Item* {
    ++summary_.failed;
    on_outcome_({request_id, item_id, base::InvalidArgument(reason, message, std::move(facts)), {}, 0});
    return nullptr;
  };
  // One message beyond the limit would break the stream for all.
  constexpr int64_t kEnvelope = 1024;
  if (bytes + kEnvelope > client_.max_message_bytes) {
    return refuse("MESSAGE_TOO_LARGE",
                  absl::StrFormat("the write is %d bytes; the limit is %d. Send a smaller image.", bytes,
                                  client_.max_message_bytes),
                  {{"actual", absl::StrCat(bytes)}, {"limit", absl::StrCat(client_.max_message_bytes)}});
  }
  if (items_.contains(request_id)) {
    return refuse(
        "DUPLICATE_REQUEST_ID",
        absl::StrCat("request_id \"", request_id, "\" is in flight already. Give every write of a stream its own."),
        {{"request_id", request_id}});
  }
  Item& item = items_[request_id];
  *item.request.mutable_request() = std::move(*request);
  item.bytes = bytes;
  bytes_ += bytes;
  return &item;
}

IndexStream::Item* IndexStream::NextToSend() {
  if (Cautious() && in_flight_ > 0) return nullptr;
  const absl::Time now = absl::Now();
  // What was there when the server fell comes last, so that others are answered before.
  const auto order = [](const Item& item) { return std::pair(item.falls, item.attempts); };
  Item* next = nullptr;
  for (auto& [id, item] : items_) {
    if (!item.in_flight && item.due <= now && (next == nullptr || order(item) < order(*next))) next = &item;
  }
  if (next != nullptr) return next;
  while (!source_ended_ && HasRoom()) {
    if (Item* item = TakeFromSource()) return item;
  }
  return nullptr;
}

void IndexStream::Open() {
  connection_ = std::make_unique<Connection>();
  AddCredentials(client_, &connection_->context);
  connection_->stream = stub_.AsyncIndexStream(&connection_->context, &queue_, ToTag(kStarted));
}

// Begins what the connection can begin now: the next write, the end of writing, the end of the call.
void IndexStream::Advance() {
  if (connection_ == nullptr || !connection_->started || connection_->writing || connection_->ending) return;
  Connection& c = *connection_;
  if (c.reads_over) {
    c.ending = true;
    c.stream->Finish(&c.status, ToTag(kEnded));
    return;
  }
  if (!c.writable) return;
  if (Item* item = NextToSend()) {
    item->in_flight = true;
    ++item->attempts;
    if (item->attempts > 1) ++summary_.retries;
    if (in_flight_++ == 0) last_reply_ = absl::Now();
    c.writing = true;
    c.stream->Write(item->request, ToTag(kWritten));
  } else if (Finished()) {
    c.writable = false;
    c.writing = true;
    c.stream->WritesDone(ToTag(kWritesDone));
  }
}

void IndexStream::HandleEvent(void* tag, bool ok) {
  Connection& c = *connection_;
  switch (static_cast<Tag>(reinterpret_cast<intptr_t>(tag))) {
    case kStarted:
      c.started = true;
      if (ok) {
        c.stream->Read(&c.reply, ToTag(kRead));
      } else {
        c.reads_over = true;
      }
      break;
    case kRead:
      if (ok) {
        HandleReply(c.reply);
        c.stream->Read(&c.reply, ToTag(kRead));
      } else {
        c.reads_over = true;
      }
      break;
    case kWritten:
      c.writing = false;
      if (!ok) c.writable = false;
      break;
    case kWritesDone: c.writing = false; break;
    case kEnded: {
      absl::Status status = FromGrpc(c.status, {client_.address, options_.reply_timeout});
      if (c.timed_out) {
        status = base::Error(
            absl::StatusCode::kUnavailable, "REPLY_TIMEOUT",
            absl::StrCat("no reply from ", client_.address, " for ", absl::FormatDuration(options_.reply_timeout),
                         ". Check the server's load, or allow more time."));
      }
      HandleEnd(status);
      break;
    }
  }
}

void IndexStream::HandleReply(const v1::IndexStreamResponse& reply) {
  connection_->replied = true;
  ++replies_;
  last_reply_ = absl::Now();
  broken_in_a_row_ = 0;
  away_since_.reset();
  const auto found = items_.find(reply.request_id());
  if (found == items_.end() || !found->second.in_flight) return;
  found->second.in_flight = false;
  --in_flight_;
  const absl::Status status = FromRpcStatus(reply.status());
  if (status.ok()) {
    Report(reply.request_id(), status, reply.response());
  } else {
    RetryOrFail(found->second, status);
  }
}

void IndexStream::HandleEnd(const absl::Status& status) {
  const bool replied = connection_->replied;
  connection_ = nullptr;
  in_flight_ = 0;
  if (status.ok() && Finished()) return;
  // A server that ends the stream early, with whatever kind of goodbye, can be asked again.
  const absl::Status reason =
      status.ok() ? base::Error(absl::StatusCode::kUnavailable, "STREAM_ENDED",
                                absl::StrCat("the server at ", client_.address,
                                             " ended the stream early. Try again when it has restarted."))
                  : status;
  if (!replied) ++broken_in_a_row_;
  const absl::Time now = absl::Now();
  if (!away_since_) away_since_ = now;
  if (!IsRetryable(reason) || now - *away_since_ >= options_.patience || summary_.stopped) {
    fatal_ = reason;
    return ReportAll(reason);
  }
  reconnect_at_ = now + BackoffAfter(std::max(1, broken_in_a_row_), reason);
  std::vector<std::string> fallen;
  for (auto& [id, item] : items_) {
    if (!item.in_flight) continue;
    item.in_flight = false;
    item.status = reason;
    item.due = reconnect_at_;
    if (replies_ > item.replies_seen) {
      ++item.falls;
      item.replies_seen = replies_;
    }
    if (item.falls >= kMaxFalls) fallen.push_back(id);
  }
  for (const std::string& id : fallen) Report(id, reason, {});
}

void IndexStream::CheckReplyTimeout() {
  if (connection_ == nullptr || in_flight_ == 0 || connection_->timed_out) return;
  if (absl::Now() - last_reply_ < options_.reply_timeout) return;
  connection_->timed_out = true;
  connection_->context.TryCancel();
}

absl::Time IndexStream::NextWakeUp() const {
  absl::Time wake = absl::Now() + kTick;
  if (connection_ == nullptr) return std::min(wake, reconnect_at_);
  // What is due cannot be sent before the write under way ends, or before a reply: events of their own.
  if (!connection_->started || connection_->writing || !connection_->writable) return wake;
  if (Cautious() && in_flight_ > 0) return wake;
  for (const auto& [id, item] : items_) {
    if (!item.in_flight) wake = std::min(wake, item.due);
  }
  return wake;
}

void IndexStream::RetryOrFail(Item& item, const absl::Status& status) {
  const absl::Time now = absl::Now();
  if (item.refusals++ == 0) item.refused_since = now;
  if (!IsForNow(status) || now - item.refused_since >= options_.patience) {
    return Report(std::string(item.request.request().request_id()), status, {});
  }
  item.status = status;
  item.due = now + BackoffAfter(item.refusals, status);
}

absl::Duration IndexStream::BackoffAfter(int attempt, const absl::Status& status) {
  return Backoff(options_.retry, attempt, status, std::uniform_real_distribution<double>(0.5, 1.0)(random_));
}

void IndexStream::ReportAll(const absl::Status& status) {
  while (!items_.empty()) Report(std::string(items_.begin()->first), status, {});
}

void IndexStream::Report(const std::string& request_id, const absl::Status& status, const v1::IndexResponse& response) {
  const auto node = items_.extract(request_id);
  const Item& item = node.mapped();
  bytes_ -= item.bytes;
  ++(status.ok() ? summary_.succeeded : summary_.failed);
  const std::string& asked = item.request.request().item().id();
  on_outcome_({request_id, asked.empty() ? response.id() : asked, status, response, item.attempts});
}

std::string IndexStream::RandomRequestId() { return absl::StrFormat("%016x%016x", random_(), random_()); }

}  // namespace sightline::client

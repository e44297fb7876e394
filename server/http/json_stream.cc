#include "server/http/json_stream.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "server/http/http_error.h"
#include "server/http/json_call.h"
#include "server/http/message_buffer.h"
#include "server/http/transcode.h"
#include "server/rpc/status_map.h"
#include "sightline/v1/collection_service.pb.h"

namespace sightline::server {
namespace {

using google::protobuf::Message;

constexpr size_t kInWindow = 1 << 20;       // bytes that wait to be read; then the caller waits
constexpr size_t kOutWindow = 1 << 20;      // of answers that wait to be sent; then gRPC waits
constexpr size_t kOutBeforeEnd = 16 << 20;  // of answers, while the body still comes
constexpr size_t kPieceBytes = 256 << 10;   // of a snapshot
constexpr int64_t kThrownAway = 64 << 20;   // of a body that nobody wants any more

}  // namespace

// A million lines of two characters take more than two million bytes.
size_t JsonStream::CostOf(const Piece& piece) { return piece.text.size() + sizeof(Piece); }

JsonStream::JsonStream(Gateway& gateway, RouteMatch match, std::string query, CallHeaders headers, Input input,
                       Output output, Waker wake)
    : gateway_(gateway),
      match_(std::move(match)),
      query_(std::move(query)),
      headers_(std::move(headers)),
      input_(input),
      output_(output),
      wake_(std::move(wake)),
      share_(&gateway.budget()) {
  gateway_.CallBegins();
}

JsonStream::~JsonStream() {
  {
    // Who waits for the last call finds nothing in hand.
    base::MutexLock lock(mutex_);
    share_.Give(share_.taken());
  }
  gateway_.CallEnds();
}

void JsonStream::Start() {
  SetUp(headers_, &context_);
  const absl::Status ready = gateway_.Prepare(
      [&](grpc::GenericStub& stub) { call_ = stub.PrepareCall(&context_, match_.route->rpc_path, gateway_.queue()); });
  base::MutexLock lock(mutex_);
  if (!ready.ok()) {
    failure_ = ready;
    finishing_ = true;
    finished_ = true;
    return;
  }
  self_ = shared_from_this();
  ++tags_;
  call_->StartCall(&started_tag_);
}

std::shared_ptr<JsonStream> JsonStream::TagBack() {
  // The caller keeps the object until it has left it.
  std::shared_ptr<JsonStream> keep = self_;
  if (--tags_ == 0 && finished_) self_.reset();
  return keep;
}

// --- what comes in ---

HttpCall::Taken JsonStream::Take(absl::string_view piece) {
  bool more = false;
  {
    base::MutexLock lock(mutex_);
    const auto size = static_cast<int64_t>(piece.size());
    if (!failure_.ok() || finishing_) {
      thrown_away_ += size;
      return thrown_away_ > kThrownAway ? Taken::kNever : Taken::kYes;
    }
    if (waiting_ > kInWindow) {
      full_ = true;
      return Taken::kLater;
    }
    if (input_ == Input::kBytes) {
      tail_.append(piece.data(), piece.size());
      if (tail_.size() >= kPieceBytes) Cut(/*all=*/false);
    } else {
      while (!piece.empty()) {
        // A call that takes one message may have it on several lines.
        const size_t end = match_.route->method->client_streaming() ? piece.find('\n') : absl::string_view::npos;
        tail_.append(piece.data(), std::min(end, piece.size()));
        if (end == absl::string_view::npos) break;
        piece.remove_prefix(end + 1);
        Cut(/*all=*/false);
      }
      if (static_cast<int64_t>(tail_.size()) > gateway_.max_body_bytes()) {
        Fail(BodyTooLarge(gateway_.max_body_bytes(), static_cast<int64_t>(tail_.size())));
      }
    }
    if (!Settle()) Fail(BodiesFull(gateway_.budget()));
    more = true;
  }
  if (more) Pump();
  return Taken::kYes;
}

// Makes a piece of the tail. Bytes are cut to size, since one piece of a snapshot is limited.
void JsonStream::Cut(bool all) {
  if (input_ == Input::kLines) {
    ++count_;
    if (!tail_.empty() && tail_.back() == '\r') tail_.pop_back();
    if (tail_.empty()) return;
    pieces_.push_back({std::exchange(tail_, {}), count_});
    waiting_ += CostOf(pieces_.back());
    return;
  }
  while (tail_.size() >= kPieceBytes || (all && !tail_.empty())) {
    std::string rest = tail_.size() > kPieceBytes ? tail_.substr(kPieceBytes) : "";
    tail_.resize(std::min(tail_.size(), kPieceBytes));
    const auto size = static_cast<int64_t>(tail_.size());
    pieces_.push_back({std::exchange(tail_, std::move(rest)), count_});
    waiting_ += CostOf(pieces_.back());
    count_ += size;
  }
}

bool JsonStream::Settle(bool anyway) {
  const auto held = static_cast<int64_t>(tail_.size() + waiting_ + out_.size());
  const int64_t more = held - share_.taken();
  if (more <= 0) {
    share_.Give(-more);
    return true;
  }
  if (share_.Take(more)) return true;
  if (anyway) share_.TakeAnyway(more);
  return anyway;
}

void JsonStream::Fail(absl::Status status) {
  if (failure_.ok()) failure_ = std::move(status);
  pieces_.clear();
  tail_.clear();
  waiting_ = 0;
  (void)Settle();
}

void JsonStream::End() {
  {
    base::MutexLock lock(mutex_);
    if (failure_.ok()) {
      if (input_ == Input::kLines && !tail_.empty()) Cut(/*all=*/true);
      // An empty snapshot is sent as one piece without bytes: the service says what is wrong with it.
      if (input_ == Input::kBytes) Cut(/*all=*/true);
      if (input_ == Input::kQuery || (input_ == Input::kBytes && count_ == 0)) pieces_.push_back({});
    }
    body_ended_ = true;
    MaybeRead();
  }
  Pump();
}

void JsonStream::Pump() {
  Piece piece;
  {
    base::MutexLock lock(mutex_);
    if (!started_ || pumping_ || input_over_ || finishing_) return;
    if (pieces_.empty()) {
      if (!body_ended_ && failure_.ok()) return;
      input_over_ = true;
      ++tags_;
      call_->WritesDone(&no_more_tag_);
      return;
    }
    piece = std::move(pieces_.front());
    pieces_.pop_front();
    pumping_ = true;
  }
  const auto task = [self = shared_from_this(), shared = std::make_shared<Piece>(std::move(piece))] {
    self->Convert(*shared);
  };
  // A stream goes on, be it on the thread that has brought the news.
  if (!gateway_.pool().TrySubmit(task)) task();
}

absl::StatusOr<grpc::ByteBuffer> JsonStream::ToMessageBuffer(const Piece& piece) {
  // What the address says goes with every line, and with the first piece of a snapshot.
  const bool lines = input_ == Input::kLines;
  const bool first = piece.number == 0;
  absl::StatusOr<std::unique_ptr<Message>> message =
      ToMessage(lines || first ? match_ : RouteMatch{match_.route, {}}, lines || first ? query_ : "",
                {.json = lines ? piece.text : "", .fields = {}}, /*parameters=*/!lines);
  if (!message.ok()) {
    const base::ErrorInfo info = base::GetErrorInfo(message.status());
    return base::InvalidArgument(
        info.reason, absl::StrCat(lines ? absl::StrCat("line ", piece.number, ": ") : "", message.status().message()),
        info.facts);
  }
  if (input_ == Input::kBytes) {
    auto& upload = static_cast<v1::UploadSnapshotRequest&>(**message);
    upload.set_offset(piece.number);
    upload.set_data(piece.text);
  }
  const size_t size = (*message)->ByteSizeLong();
  if (size > static_cast<size_t>(gateway_.limits().max_message_bytes)) {
    return BodyTooLarge(gateway_.limits().max_message_bytes, static_cast<int64_t>(size));
  }
  return ToBuffer(**message);
}

void JsonStream::Convert(const Piece& piece) {
  absl::StatusOr<grpc::ByteBuffer> buffer = ToMessageBuffer(piece);
  bool wake = false;
  {
    base::MutexLock lock(mutex_);
    waiting_ -= std::min(CostOf(piece), waiting_);  // nothing waits any more once the stream has failed
    (void)Settle();
    if (buffer.ok() && !finishing_) {
      ++tags_;
      call_->Write(*buffer, &written_tag_);
    } else {
      if (!buffer.ok()) Fail(buffer.status());
      pumping_ = false;
    }
    wake = std::exchange(full_, false);
  }
  if (wake) wake_();
  Pump();
}

// --- what gRPC hands back ---

void JsonStream::Started(bool ok) {
  std::shared_ptr<JsonStream> keep;
  {
    base::MutexLock lock(mutex_);
    started_ = true;
    if (ok) {
      MaybeRead();
    } else {
      Finish();
    }
    keep = TagBack();
  }
  Pump();
}

void JsonStream::Written(bool ok) {
  std::shared_ptr<JsonStream> keep;
  {
    base::MutexLock lock(mutex_);
    pumping_ = false;
    if (!ok) input_over_ = true;  // why, the end of the call says
    keep = TagBack();
  }
  Pump();
}

void JsonStream::NoMore(bool) {
  std::shared_ptr<JsonStream> keep;
  base::MutexLock lock(mutex_);
  keep = TagBack();
}

void JsonStream::MaybeRead() {
  if (!started_ || reading_ || finishing_) return;
  if (!gone_ && body_ended_ && out_.size() - out_at_ > kOutWindow) return;
  reading_ = true;
  ++tags_;
  call_->Read(&answer_, &answered_tag_);
}

void JsonStream::Answered(bool ok) {
  std::shared_ptr<JsonStream> keep;
  bool wake = false;
  {
    base::MutexLock lock(mutex_);
    if (!ok) {
      reading_ = false;
      Finish();
      wake = std::exchange(full_, false);
    }
    keep = TagBack();
  }
  if (wake) wake_();
  if (ok && !gateway_.pool().TrySubmit([keep] { keep->Render(); })) Render();
}

std::string JsonStream::Framed(const std::string& json) const {
  return output_ == Output::kEvents ? absl::StrCat("data: ", json, "\n\n") : absl::StrCat(json, "\n");
}

void JsonStream::Render() {
  const std::unique_ptr<Message> message = NewMessage(match_.route->method->output_type());
  absl::Status status;
  std::string text;
  int64_t total = -1;
  if (!FromBuffer(answer_, message.get())) {
    status = base::Error(absl::StatusCode::kInternal, "REPLY_UNREADABLE",
                         "an answer cannot be read. Ask by gRPC, and report this as a fault.");
  } else if (output_ == Output::kBytes) {
    auto& piece = static_cast<v1::DownloadSnapshotResponse&>(*message);
    total = piece.total_bytes() - piece.offset();
    text = std::move(*piece.mutable_data());
  } else {
    absl::StatusOr<std::string> json = ToJson(*message);
    status = json.status();
    if (json.ok()) text = Framed(*json);
  }
  answer_.Clear();
  {
    base::MutexLock lock(mutex_);
    reading_ = false;
    if (gone_) text.clear();
    out_ += text;
    if (total_bytes_ < 0) total_bytes_ = total;
    // Once the body has ended a window bounds them.
    if (!Settle(/*anyway=*/body_ended_)) {
      out_.resize(out_.size() - text.size());
      status = BodiesFull(gateway_.budget());
    }
    if (status.ok() && !body_ended_ && out_.size() > kOutBeforeEnd) {
      status = base::Error(
          absl::StatusCode::kResourceExhausted, "ANSWERS_WAIT",
          absl::StrCat("more than ", kOutBeforeEnd,
                       " bytes of answers wait for the body to end, before which none can be sent by HTTP. Send fewer "
                       "requests in a body, or stream by gRPC."),
          {{"limit", absl::StrCat(kOutBeforeEnd)}});
    }
    if (!status.ok()) {
      Fail(std::move(status));
      context_.TryCancel();
    }
    MaybeRead();
  }
  wake_();
}

void JsonStream::Finish() {
  if (std::exchange(finishing_, true)) return;
  ++tags_;
  call_->Finish(&status_, &finished_tag_);
}

void JsonStream::Finished(bool) {
  std::shared_ptr<JsonStream> keep;
  {
    base::MutexLock lock(mutex_);
    finished_ = true;
    keep = TagBack();
  }
  wake_();
}

// --- what goes out ---

google::rpc::Status JsonStream::Outcome() const {
  if (!failure_.ok()) return ToRpcStatus(failure_);
  return status_.ok() ? google::rpc::Status() : FromGrpc(status_);
}

std::optional<HttpReply> JsonStream::TakeReply() {
  base::MutexLock lock(mutex_);
  const bool something = out_.size() > out_at_;
  if (!finished_ && (!something || output_ == Output::kOne)) return std::nullopt;
  HttpReply reply;
  if (const google::rpc::Status outcome = Outcome();
      finished_ && outcome.code() != 0 && (!something || output_ == Output::kOne)) {
    const bool large = !failure_.ok() && base::GetErrorInfo(failure_).reason == "BODY_TOO_LARGE";
    reply = ErrorReply(outcome, large ? 413 : 0);
  } else {
    switch (output_) {
      case Output::kOne: reply.content_type = "application/json"; break;
      case Output::kLines: reply.content_type = "application/x-ndjson"; break;
      case Output::kEvents: reply.content_type = "text/event-stream"; break;
      case Output::kBytes: reply.content_type = "application/octet-stream"; break;
    }
    if (output_ == Output::kOne) {
      reply.body = std::exchange(out_, {});
    } else {
      reply.length = total_bytes_;
      reply.stream = shared_from_this();
    }
  }
  if (started_ && (something || finished_)) reply.headers = AnsweredHeaders(context_);
  return reply;
}

ssize_t JsonStream::Read(char* buffer, size_t size) {
  base::MutexLock lock(mutex_);
  if (out_at_ == out_.size() && finished_ && !last_line_) {
    last_line_ = true;
    const google::rpc::Status outcome = Outcome();
    if (outcome.code() != 0) {
      if (output_ == Output::kBytes) return kBroken;
      out_ += absl::StrCat(output_ == Output::kEvents ? "event: error\n" : "", Framed(ErrorJson(outcome)));
    }
  }
  const size_t count = std::min(size, out_.size() - out_at_);
  if (count == 0) return finished_ ? kEnd : kNothingYet;
  out_.copy(buffer, count, out_at_);
  out_at_ += count;
  if (out_at_ == out_.size() || out_at_ > kOutWindow) {
    out_.erase(0, out_at_);
    out_at_ = 0;
    (void)Settle();
  }
  MaybeRead();
  return static_cast<ssize_t>(count);
}

void JsonStream::Gone() {
  context_.TryCancel();
  base::MutexLock lock(mutex_);
  gone_ = true;
  // gRPC is to say that the call is over, even where nobody had asked it for more.
  MaybeRead();
}

}  // namespace sightline::server

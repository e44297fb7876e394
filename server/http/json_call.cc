#include "server/http/json_call.h"

#include <algorithm>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "server/http/http_error.h"
#include "server/http/message_buffer.h"
#include "server/http/transcode.h"
#include "server/rpc/status_map.h"
#include "sightline/v1/index_service.pb.h"

namespace sightline::server {
namespace {

using google::protobuf::Message;

constexpr size_t kTagDigits = 16;  // of a digest, in an ETag
constexpr int64_t kReserved = 1 << 20;

absl::Status TooMuchToConvert() {
  return base::RetryableError(absl::StatusCode::kResourceExhausted, "WORK_QUEUE_FULL",
                              "too many requests wait to be read. Try again in a moment.", absl::Seconds(1));
}

// Whether a browser shows it and runs nothing in it.
bool IsPicture(const std::string& type) { return type == "image/jpeg" || type == "image/png" || type == "image/webp"; }

}  // namespace

absl::Status BodyTooLarge(int64_t limit, int64_t actual) {
  return base::InvalidArgument("BODY_TOO_LARGE",
                               absl::StrCat("the body has ", actual, " bytes or more; the limit is ", limit,
                                            ". Send less, or raise --max_message_bytes."),
                               {{"field", "body"}, {"limit", absl::StrCat(limit)}, {"actual", absl::StrCat(actual)}});
}

absl::Status BodiesFull(const ByteBudget& budget) {
  return base::RetryableError(absl::StatusCode::kResourceExhausted, "BODIES_FULL",
                              absl::StrCat("the bodies of requests in hand fill the ", budget.limit(),
                                           " bytes there are for them. Try again in a moment, or raise --grpc_memory."),
                              absl::Seconds(1),
                              {{"limit", absl::StrCat(budget.limit())}, {"actual", absl::StrCat(budget.held())}});
}

JsonCall::JsonCall(Gateway& gateway, RouteMatch match, std::string query, CallHeaders headers,
                   std::unique_ptr<Multipart> form, int64_t length, absl::string_view known, Waker wake)
    : gateway_(gateway),
      match_(std::move(match)),
      query_(std::move(query)),
      headers_(std::move(headers)),
      known_(known),
      wake_(std::move(wake)),
      form_(std::move(form)),
      share_(std::make_shared<ByteBudget::Share>(&gateway.budget())) {
  // What is promised may never come.
  if (form_ == nullptr) body_.json.reserve(static_cast<size_t>(std::min(length, kReserved)));
  gateway_.CallBegins();
}

JsonCall::~JsonCall() {
  share_.reset();
  gateway_.CallEnds();
}

HttpCall::Taken JsonCall::Take(absl::string_view piece) {
  received_ += static_cast<int64_t>(piece.size());
  if (!refused_.ok()) {
    // The rest is thrown away so that the caller gets to see why; but not for ever.
    return received_ > 2 * gateway_.max_body_bytes() ? Taken::kNever : Taken::kYes;
  }
  if (received_ > gateway_.max_body_bytes()) {
    refused_ = BodyTooLarge(gateway_.max_body_bytes(), received_);
    refused_code_ = 413;
  } else if (!share_->Take(static_cast<int64_t>(piece.size()))) {
    refused_ = BodiesFull(gateway_.budget());
  } else if (form_ != nullptr) {
    form_->Feed(piece);
  } else {
    body_.json.append(piece.data(), piece.size());
  }
  if (!refused_.ok()) {
    form_.reset();
    body_ = {};
    share_ = std::make_shared<ByteBudget::Share>(&gateway_.budget());
  }
  return Taken::kYes;
}

void JsonCall::End() {
  if (refused_.ok() && form_ != nullptr) {
    absl::StatusOr<RequestBody> body = form_->Finish();
    refused_ = body.status();
    if (body.ok()) body_ = *std::move(body);
  }
  form_.reset();
  if (refused_.ok()) {
    if (gateway_.pool().TrySubmit([self = shared_from_this()] { self->Convert(); })) return;
    refused_ = TooMuchToConvert();
  }
  Finish(ErrorReply(refused_, refused_code_));
}

void JsonCall::Convert() {
  if (absl::Status status = StartCall(); !status.ok()) Finish(ErrorReply(status, refused_code_));
}

absl::Status JsonCall::StartCall() {
  const Route& route = *match_.route;
  const bool image = route.answer != Route::Answer::kJson;
  SIGHTLINE_ASSIGN_OR_RETURN(const std::unique_ptr<Message> message,
                             ToMessage(match_, image ? "" : query_, std::move(body_), !route.takes_body));
  body_ = {};
  if (image) {
    static_cast<v1::GetImageRequest&>(*message).set_view(
        route.answer == Route::Answer::kPreview ? v1::IMAGE_VIEW_PREVIEW : v1::IMAGE_VIEW_ORIGINAL);
  }
  const size_t size = message->ByteSizeLong();
  if (size > static_cast<size_t>(gateway_.limits().max_message_bytes)) {
    refused_code_ = 413;
    return BodyTooLarge(gateway_.limits().max_message_bytes, static_cast<int64_t>(size));
  }
  SetUp(headers_, &context_);
  const grpc::ByteBuffer request = ToBuffer(*message);
  SIGHTLINE_RETURN_IF_ERROR(gateway_.Prepare([&](grpc::GenericStub& stub) {
    reader_ = stub.PrepareUnaryCall(&context_, route.rpc_path, request, gateway_.queue());
  }));
  self_ = shared_from_this();
  reader_->StartCall();
  reader_->Finish(&response_, &status_, &answered_tag_);
  return absl::OkStatus();
}

void JsonCall::Answered(bool) {
  const std::shared_ptr<JsonCall> self = std::move(self_);
  // Large answers are not written on the thread that takes the others'.
  if (!gateway_.pool().TrySubmit([self] { self->Render(); })) Render();
}

void JsonCall::Render() {
  HttpReply reply = Rendered();
  response_.Clear();
  for (auto& header : AnsweredHeaders(context_)) reply.headers.push_back(std::move(header));
  Finish(std::move(reply));
}

HttpReply JsonCall::Rendered() {
  if (!status_.ok()) return ErrorReply(FromGrpc(status_));
  const std::unique_ptr<Message> message = NewMessage(match_.route->method->output_type());
  if (!FromBuffer(response_, message.get())) {
    return ErrorReply(base::Error(absl::StatusCode::kInternal, "REPLY_UNREADABLE",
                                  "the answer cannot be read. Ask by gRPC, and report this as a fault."));
  }
  if (match_.route->answer != Route::Answer::kJson) return RenderedImage(*message);
  absl::StatusOr<std::string> json = ToJson(*message);
  if (!json.ok()) return ErrorReply(json.status());
  json->push_back('\n');
  return HttpReply{.content_type = "application/json", .body = *std::move(json)};
}

HttpReply JsonCall::RenderedImage(const Message& message) {
  const v1::ImageRecord& image = static_cast<const v1::GetImageResponse&>(message).image();
  const bool preview = match_.route->answer == Route::Answer::kPreview;
  if (image.image().empty()) {
    return ErrorReply(base::NotFound(preview ? "PREVIEW_NOT_KEPT" : "ORIGINAL_NOT_KEPT",
                                     absl::StrCat("the image has no ", preview ? "preview" : "original",
                                                  ". Index it again, as an image, into a collection whose keep_image "
                                                  "asks for it.")));
  }
  const std::string tag = absl::StrCat("\"", preview ? "p" : "o", image.revision(), "-",
                                       absl::string_view(image.sha256()).substr(0, kTagDigits), "\"");
  HttpReply reply{
      .code = absl::StrContains(known_, tag) ? 304 : 200,
      .content_type = IsPicture(image.image_mime_type()) ? image.image_mime_type() : "application/octet-stream",
      .headers = {{"ETag", tag},
                  // An id may be written again at any time, so whoever keeps a copy asks.
                  {"Cache-Control", "private, no-cache"},
                  {"Vary", "Authorization"},
                  {"Content-Security-Policy", "default-src 'none'; sandbox"},
                  {"Cross-Origin-Resource-Policy", "same-origin"}},
      .may_be_cached = true};
  if (reply.code == 200) reply.body = image.image();
  return reply;
}

void JsonCall::Finish(HttpReply reply) {
  share_->TakeAnyway(static_cast<int64_t>(reply.body.size()));
  reply.held = share_;
  {
    base::MutexLock lock(mutex_);
    reply_ = std::move(reply);
  }
  wake_();
}

std::optional<HttpReply> JsonCall::TakeReply() {
  base::MutexLock lock(mutex_);
  return std::exchange(reply_, std::nullopt);
}

void JsonCall::Gone() { context_.TryCancel(); }

}  // namespace sightline::server

#include "server/http/multipart.h"

#include <algorithm>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "base/status.h"

namespace sightline::server {
namespace {

constexpr size_t kMaxParts = 64;
constexpr size_t kMaxName = 256;
constexpr size_t kPartHeader = 4096;  // the parser's buffer: a line of a part's header must fit
constexpr size_t kMaxBoundary = 70;   // of RFC 2046

absl::Status FormError(absl::string_view reason, absl::string_view message) {
  return base::InvalidArgument(reason, message, {{"field", "body"}});
}

}  // namespace

std::unique_ptr<Multipart> Multipart::Make(const HttpHead& head) {
  // The parser takes the boundary as it finds it, and must not find a strange one.
  const absl::string_view type = head.Header("content-type");
  const size_t at = absl::AsciiStrToLower(type).find("boundary=");
  if (at == std::string::npos) return nullptr;
  absl::string_view boundary = type.substr(at + 9);
  boundary = boundary.substr(0, boundary.find(';'));
  absl::ConsumePrefix(&boundary, "\"");
  absl::ConsumeSuffix(&boundary, "\"");
  const auto usual = [](char c) {
    return absl::ascii_isalnum(static_cast<unsigned char>(c)) || absl::StrContains("'()+_,-./:=? ", c);
  };
  if (boundary.empty() || boundary.size() > kMaxBoundary || !std::all_of(boundary.begin(), boundary.end(), usual)) {
    return nullptr;
  }
  auto form = std::make_unique<Multipart>();
  form->parser_.reset(MHD_create_post_processor(head.connection, kPartHeader, &Multipart::Part, form.get()));
  return form->parser_ == nullptr ? nullptr : std::move(form);
}

absl::Status Multipart::AddPart(const char* key, const char* encoding, absl::string_view piece, bool begins) {
  if (key == nullptr || *key == '\0') {
    return FormError("PART_WITHOUT_NAME",
                     "a part of the form has no name. Name it `request`, or as the field of the file it holds.");
  }
  const std::string name(absl::NullSafeStringView(key).substr(0, kMaxName + 1));
  // The parser may tell of a part before the first of its bytes.
  const bool goes_on = part_ != nullptr && part_name_ == name && (!begins || part_->empty());
  if (goes_on) {
    part_->append(piece.data(), piece.size());
    return absl::OkStatus();
  }
  if (name.size() > kMaxName) return FormError("PART_NAME_TOO_LONG", "a part's name is too long. Shorten it.");
  if (encoding != nullptr && !absl::EqualsIgnoreCase(encoding, "binary") && !absl::EqualsIgnoreCase(encoding, "8bit") &&
      !absl::EqualsIgnoreCase(encoding, "7bit")) {
    return FormError("PART_ENCODED", absl::StrCat("the part '", name,
                                                  "' has a Content-Transfer-Encoding. Send its bytes as they are."));
  }
  part_name_ = name;
  if (name == "request") {
    if (std::exchange(has_request_, true)) {
      return FormError("PART_TWICE", "the form has two parts `request`. Send one.");
    }
    part_ = &body_.json;
  } else {
    if (body_.fields.size() == kMaxParts) {
      return FormError("TOO_MANY_PARTS", absl::StrCat("the form has more than ", kMaxParts, " files. Send fewer."));
    }
    // Growing moves the strings before it, and nobody points to those any more.
    part_ = &body_.fields.emplace_back(name, "").second;
  }
  part_->assign(piece.data(), piece.size());
  return absl::OkStatus();
}

MHD_Result Multipart::Part(void* self, MHD_ValueKind, const char* key, const char*, const char*, const char* encoding,
                           const char* data, uint64_t offset, size_t size) {
  auto& form = *static_cast<Multipart*>(self);
  form.status_ = form.AddPart(key, encoding, absl::string_view(data, size), offset == 0);
  return form.status_.ok() ? MHD_YES : MHD_NO;
}

void Multipart::Feed(absl::string_view piece) {
  if (!status_.ok()) return;
  if (MHD_post_process(parser_.get(), piece.data(), piece.size()) == MHD_YES || !status_.ok()) return;
  status_ = FormError("FORM_MALFORMED",
                      "the body is not the multipart/form-data that its header promises. Let a library write it.");
}

absl::StatusOr<RequestBody> Multipart::Finish() {
  SIGHTLINE_RETURN_IF_ERROR(status_);
  if (MHD_destroy_post_processor(parser_.release()) != MHD_YES) {
    return FormError("FORM_TRUNCATED", "the form ends before its last boundary. Send all of it.");
  }
  SIGHTLINE_RETURN_IF_ERROR(status_);
  return std::move(body_);
}

}  // namespace sightline::server

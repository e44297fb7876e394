#include "proto/reference/markdown.h"

#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "proto/reference/http_status.h"

namespace sightline::reference {

using google::protobuf::Descriptor;
using google::protobuf::EnumDescriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::MethodDescriptor;

namespace {

constexpr char kHead[] = R"_text_(# API reference

<!-- Made from proto/ by `cmake --build --preset release --target sightline_api_page`: correct the proto files, not this page. -->

Package `sightline.v1`, every service, method, message and code. The same methods are served by gRPC (50051, with reflection and
health) and as JSON over HTTP (8080); the machine-readable form of the latter is the OpenAPI 3.0 document at `/v1/openapi.json`.
[http.md](http.md) shows it with curl, [python.md](python.md) from Python, [filters.md](filters.md) specifies `filter`,
[reranking.md](reranking.md) re-ranking and evidence.

)_text_";

constexpr char kConventions[] = R"_text_(## Conventions

* **JSON.** Protobuf's JSON mapping: names in lowerCamelCase (`top_k` is `topK`; requests may use either), 64-bit numbers as text,
  bytes as base64, enums as names, times as RFC 3339 text, durations as seconds with an `s`. A name that a message does not have
  is refused. Fields of the path are not repeated in the body; with GET and DELETE the rest are query parameters.
* **Paths.** `{name}` is one segment, percent-encoded: the id `a/b.jpg` is written `a%2Fb.jpg`.
* **Images over HTTP** need no base64: `multipart/form-data` with a part `request` (the JSON) and a file for each bytes field, named
  by its path, such as `query.parts[0].image`; such a request has the header `X-Requested-With`, whatever its value, which no other
  site's page can send. Pictures come back raw from `GET /v1/collections/{collection}/images/{id}/preview`
  and `/original`.
* **Streams over HTTP** are lines of JSON (`application/x-ndjson`) each way, or server-sent events back with
  `Accept: text/event-stream`. An error that comes when answers are on their way is the last line. A snapshot's bytes travel raw.
* **Keys.** `authorization: Bearer KEY` with both, where the server has keys ([security.md](security.md)).
* **Unset.** A field left out has the value that its text gives to 0, to empty or to "unset".
* **Limits** in force are what GetServerInfo answers; texts below give the defaults.

)_text_";

constexpr char kErrors[] = R"_text_(## Errors

An error's message is one sentence that says what is wrong and one that says what to do. Its details hold a `google.rpc.ErrorInfo`
with a `reason` to branch on and the facts ([troubleshooting.md](troubleshooting.md#reasons) has every reason), and a
`google.rpc.RetryInfo` where trying again helps. Over HTTP:

```json
{"error": {"code": 404, "status": "NOT_FOUND",
           "message": "there is no collection named shop. List the collections for the right name, or create it.",
           "details": [{"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "COLLECTION_NOT_FOUND",
                        "domain": "sightline.dev", "metadata": {"collection": "shop"}}]}}
```

)_text_";

// What a cell of a table may hold.
std::string Cell(const Comment& comment) {
  return absl::StrReplaceAll(absl::StrJoin(comment.paragraphs, " "), {{"|", "\\|"}});
}

// The anchor that a heading gets where Markdown is shown.
std::string Anchor(absl::string_view heading) {
  std::string anchor;
  for (const char c : heading) {
    if (absl::ascii_isalnum(static_cast<unsigned char>(c)))
      anchor += absl::ascii_tolower(static_cast<unsigned char>(c));
  }
  return anchor;
}

std::string Link(const std::string& name) { return absl::StrCat("[", name, "](#", Anchor(name), ")"); }

class Page {
 public:
  explicit Page(const Api& api) : api_(api) {
    for (const Service& service : api.services()) {
      for (const Method& method : service.methods) {
        inlined_.insert(method.descriptor->input_type());
        inlined_.insert(method.descriptor->output_type());
        for (const CodeRow& row : method.comment.codes) ++uses_[Key(row)];
        ++methods_;
      }
    }
  }

  std::string Write() {
    text_ = kHead;
    WriteIndex();
    text_ += kConventions;
    text_ += kErrors;
    WriteCommonCodes();
    for (const Service& service : api_.services()) WriteService(service);
    WriteMessages();
    return std::move(text_);
  }

 private:
  using RowKey = std::tuple<std::string, std::string, std::string>;
  static RowKey Key(const CodeRow& row) { return {row.code, row.cause, row.action}; }
  bool IsCommon(const CodeRow& row) const { return uses_.at(Key(row)) == methods_; }

  static std::string Http(const Binding& binding) {
    return absl::StrCat("`", absl::AsciiStrToUpper(binding.verb), " ", binding.path, "`");
  }

  // The one that reads best in a list: by a verb of its own where there is one.
  static const Binding& ListedBinding(const Method& method) {
    const auto own = std::find_if(method.bindings.begin(), method.bindings.end(),
                                  [](const Binding& binding) { return binding.verb != "post"; });
    return own == method.bindings.end() ? method.bindings.front() : *own;
  }

  void WriteIndex() {
    text_ += "## Methods\n\n";
    for (const Service& service : api_.services()) {
      absl::StrAppend(&text_, "**", Link(service.descriptor->name()), "**: ", service.comment.Text(), "\n\n",
                      "| method | HTTP | what it does |\n|---|---|---|\n");
      for (const Method& method : service.methods) {
        absl::StrAppend(&text_, "| ", Link(method.descriptor->name()), " | ", Http(ListedBinding(method)), " | ",
                        method.comment.Summary(), " |\n");
      }
      text_ += "\n";
    }
    text_ += "Then: [Conventions](#conventions), [Errors](#errors), [Messages](#messages).\n\n";
  }

  void WriteCodeHeader() { text_ += "| code | HTTP | cause | what the caller does |\n|---|---|---|---|\n"; }
  void WriteCode(const CodeRow& row) {
    absl::StrAppend(&text_, "| ", row.code, " | ", HttpStatus(row.code), " | ", row.cause, " | ", row.action, " |\n");
  }

  void WriteCommonCodes() {
    text_ += "Every method may answer these; its own table has the rest.\n\n";
    WriteCodeHeader();
    for (const CodeRow& row : api_.services().front().methods.front().comment.codes) {
      if (IsCommon(row)) WriteCode(row);
    }
    text_ +=
        "\nHTTP alone also answers 405 (another verb, with `Allow`), 408 (the body came too slowly), 413 (the body is "
        "larger than the\nlimit) and 415 (a content type that the method does not take), in the same form.\n\n";
  }

  void WriteService(const Service& service) {
    absl::StrAppend(&text_, "## ", service.descriptor->name(), "\n\n", service.comment.Text(), "\n\n");
    for (const Method& method : service.methods) WriteMethod(method);
  }

  void WriteMethod(const Method& method) {
    const MethodDescriptor* descriptor = method.descriptor;
    absl::StrAppend(&text_, "### ", descriptor->name(), "\n\n");
    text_ += absl::StrJoin(method.bindings, ", ", [](std::string* out, const Binding& b) { *out += Http(b); });
    absl::StrAppend(&text_, "\n\n", method.comment.Text(), "\n\n");
    WriteSide(descriptor->client_streaming() ? "Takes a stream of" : "Takes", descriptor->input_type());
    WriteSide(descriptor->server_streaming() ? "Answers a stream of" : "Answers", descriptor->output_type());
    const bool own = !std::all_of(method.comment.codes.begin(), method.comment.codes.end(),
                                  [this](const CodeRow& row) { return IsCommon(row); });
    if (!own) return;
    WriteCodeHeader();
    for (const CodeRow& row : method.comment.codes) {
      if (!IsCommon(row)) WriteCode(row);
    }
    text_ += "\n";
  }

  void WriteSide(const char* verb, const Descriptor* message) {
    absl::StrAppend(&text_, verb, " `", api_.Name(message), "`");
    if (message->field_count() == 0) {
      text_ += ", which has no fields.\n\n";
    } else {
      text_ += ":\n\n";
      WriteFields(message);
    }
  }

  std::string Type(const FieldDescriptor* field) const {
    if (field->is_map()) {
      return absl::StrCat("map of ", Type(field->message_type()->map_key()), " to ",
                          Type(field->message_type()->map_value()));
    }
    std::string type;
    if (field->enum_type() != nullptr) {
      type = Link(api_.Name(field->enum_type()));
    } else if (field->message_type() == nullptr) {
      type = field->type_name();
    } else if (IsWellKnown(field->message_type())) {
      type = field->message_type()->name();
    } else {
      type = inlined_.contains(field->message_type()) ? "`" + api_.Name(field->message_type()) + "`"
                                                      : Link(api_.Name(field->message_type()));
    }
    return field->is_repeated() ? "repeated " + type : type;
  }

  void WriteFields(const Descriptor* message) {
    text_ += "| field | type | what |\n|---|---|---|\n";
    for (int i = 0; i < message->field_count(); ++i) {
      const FieldDescriptor* field = message->field(i);
      std::string kind = Type(field);
      if (const auto* oneof = OneofOf(field)) {
        absl::StrAppend(&kind, ", one of `", oneof->name(), "`");
      } else if (field->has_optional_keyword()) {
        absl::StrAppend(&kind, ", optional");
      }
      absl::StrAppend(&text_, "| `", field->name(), "` | ", kind, " | ", Cell(CommentOf(field)), " |\n");
    }
    text_ += "\n";
  }

  void WriteEnum(const EnumDescriptor* type) {
    absl::StrAppend(&text_, "### ", api_.Name(type), "\n\n", CommentOf(type).Text(), "\n\n",
                    "| value | number | what |\n|---|---|---|\n");
    for (int i = 0; i < type->value_count(); ++i) {
      absl::StrAppend(&text_, "| `", type->value(i)->name(), "` | ", type->value(i)->number(), " | ",
                      Cell(CommentOf(type->value(i))), " |\n");
    }
    text_ += "\n";
  }

  void WriteMessages() {
    text_ += "## Messages\n\nThose that methods share, and enums, by name.\n\n";
    std::map<std::string, const Descriptor*> messages;
    std::map<std::string, const EnumDescriptor*> enums;
    for (const Descriptor* message : api_.messages()) {
      if (!inlined_.contains(message)) messages[api_.Name(message)] = message;
    }
    for (const EnumDescriptor* type : api_.enums()) enums[api_.Name(type)] = type;
    std::set<std::string> names;
    for (const auto& [name, message] : messages) names.insert(name);
    for (const auto& [name, type] : enums) names.insert(name);
    for (const std::string& name : names) {
      if (enums.contains(name)) {
        WriteEnum(enums[name]);
        continue;
      }
      absl::StrAppend(&text_, "### ", name, "\n\n", CommentOf(messages[name]).Text(), "\n\n");
      WriteFields(messages[name]);
    }
    while (absl::EndsWith(text_, "\n\n")) text_.pop_back();
  }

  const Api& api_;
  std::string text_;
  std::set<const Descriptor*> inlined_;  // Shown with their method, which is the only place that uses them.
  std::map<RowKey, int> uses_;           // Methods that have a row word by word.
  int methods_ = 0;
};

}  // namespace

std::string ReferencePage(const Api& api) { return Page(api).Write(); }

}  // namespace sightline::reference

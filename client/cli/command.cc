#include "client/cli/command.h"

#include "absl/strings/str_cat.h"
#include "base/file.h"
#include "base/status.h"
#include "client/cli/json.h"
#include "client/cli/text.h"

namespace sightline::cli {

const std::vector<FlagSpec>& CommonFlags() {
  static const auto* const flags = new std::vector<FlagSpec>{
      {.name = "address", .value = "HOST:PORT", .help = "the server; else SIGHTLINE_ADDRESS, else 127.0.0.1:50051"},
      {.name = "timeout",
       .kind = FlagKind::kDuration,
       .value = "TIME",
       .help = "of one call: 10, 500ms, 2m; else 10 s, with images 60 s"},
      {.name = "json", .kind = FlagKind::kSwitch, .help = "print JSON, one object per line, as docs/cli.md describes"},
      {.name = "help", .short_name = 'h', .kind = FlagKind::kSwitch, .help = "print this text"},
  };
  return *flags;
}

absl::StatusOr<std::unique_ptr<client::Client>> Connect(const Context& context, const Args& args) {
  client::Client::Options options;
  if (!context.default_address.empty()) options.address = context.default_address;
  options.address = args.Text("address", options.address);
  options.deadline = args.Span("timeout", options.deadline);
  options.upload_deadline = args.Span("timeout", options.upload_deadline);
  options.load_deadline = args.Span("timeout", options.load_deadline);
  return client::Client::Connect(std::move(options));
}

int Fail(Context& context, const Args& args, const absl::Status& status) {
  if (args.Switch("json")) {
    context.err.Write(absl::StrCat(JsonObject().Raw("error", JsonError(status)).Done(), "\n"));
  } else {
    context.err.Write(absl::StrCat("sightline: ", Printable(status.message()), "\n"));
  }
  if (status.code() == absl::StatusCode::kInvalidArgument && base::GetErrorInfo(status).reason == "USAGE")
    return kUsage;
  return base::GetErrorInfo(status).reason == "IMAGE_NOT_FOUND" ? kNothingFound : kError;
}

int Misused(Context& context, const std::string& verb, const std::string& problem) {
  context.err.Write(absl::StrCat("sightline: ", problem, " Run \"sightline ", verb, " --help\" for how to use it.\n"));
  return kUsage;
}

absl::StatusOr<std::string> CollectionOf(const Args& args) {
  if (!args.Text("collection").empty()) return args.Text("collection");
  return base::InvalidArgument(
      "USAGE", "no collection is named. Add --collection NAME; \"sightline collections\" lists what there is.",
      {{"argument", "collection"}});
}

FlagSpec CollectionFlag() {
  return {.name = "collection", .short_name = 'c', .value = "NAME", .help = "the collection, or an alias of it"};
}

absl::Status WriteOutput(Context& context, const std::string& path, absl::string_view bytes) {
  if (path == "-") {
    context.out.Write(bytes);
    return absl::OkStatus();
  }
  return base::WriteFileDurably(path, bytes);
}

}  // namespace sightline::cli

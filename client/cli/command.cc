#include "client/cli/command.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/ascii.h"
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
      {.name = "tls_ca", .value = "FILE", .help = "connect with TLS; FILE: PEM, who signs the server's certificate"},
      {.name = "tls_cert", .value = "FILE", .help = "this client's certificate, PEM, where the server wants one"},
      {.name = "tls_key", .value = "FILE", .help = "the key of --tls_cert, PEM"},
      {.name = "api_key_file", .value = "FILE", .help = "holds the API key; else SIGHTLINE_API_KEY"},
      {.name = "json", .kind = FlagKind::kSwitch, .help = "print JSON, one object per line, as docs/cli.md describes"},
      {.name = "help", .short_name = 'h', .kind = FlagKind::kSwitch, .help = "print this text"},
  };
  return *flags;
}

namespace {

constexpr int64_t kMaxPemBytes = 1 << 20;
constexpr int64_t kMaxKeyBytes = 4096;

absl::Status ReadFlagFile(const Args& args, const char* flag, int64_t limit, std::string* text) {
  if (!args.Has(flag)) return absl::OkStatus();
  SIGHTLINE_ASSIGN_OR_RETURN(*text, base::ReadFile(args.Text(flag), limit));
  if (!absl::StripAsciiWhitespace(*text).empty()) return absl::OkStatus();
  return base::InvalidArgument("USAGE",
                               absl::StrCat("the file of --", flag, ", ", args.Text(flag), ", is empty. Name another."),
                               {{"argument", flag}});
}

absl::Status SetCredentials(const Context& context, const Args& args, client::Client::Options* options) {
  SIGHTLINE_RETURN_IF_ERROR(ReadFlagFile(args, "tls_ca", kMaxPemBytes, &options->tls_ca));
  SIGHTLINE_RETURN_IF_ERROR(ReadFlagFile(args, "tls_cert", kMaxPemBytes, &options->tls_certificate));
  SIGHTLINE_RETURN_IF_ERROR(ReadFlagFile(args, "tls_key", kMaxPemBytes, &options->tls_key));
  options->api_key = context.api_key;
  SIGHTLINE_RETURN_IF_ERROR(ReadFlagFile(args, "api_key_file", kMaxKeyBytes, &options->api_key));
  // An editor or a shell ends a file with a line break.
  absl::StripAsciiWhitespace(&options->api_key);
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::unique_ptr<client::Client>> Connect(const Context& context, const Args& args) {
  client::Client::Options options;
  if (!context.default_address.empty()) options.address = context.default_address;
  options.address = args.Text("address", options.address);
  options.deadline = args.Span("timeout", options.deadline);
  options.upload_deadline = args.Span("timeout", options.upload_deadline);
  options.load_deadline = args.Span("timeout", options.load_deadline);
  SIGHTLINE_RETURN_IF_ERROR(SetCredentials(context, args, &options));
  return client::Client::Connect(std::move(options));
}

namespace {

// To what is there and stays: a device, a pipe.
absl::Status WriteInto(const std::string& path, absl::string_view bytes) {
  const int fd = ::open(path.c_str(), O_WRONLY | O_CLOEXEC);
  if (fd < 0) {
    return base::Error(absl::StatusCode::kInternal, "FILE_ERROR",
                       absl::StrCat("cannot open ", Printable(path), ": ", std::strerror(errno),
                                    ". Check the path and its permissions."),
                       {{"path", Printable(path)}});
  }
  const auto close = absl::MakeCleanup([fd] { ::close(fd); });
  FdSink sink(fd, Printable(path));
  sink.Write(bytes);
  return sink.problem();
}

}  // namespace

int Fail(Context& context, const Args& args, const absl::Status& status) {
  if (args.Switch("json")) {
    context.err.Write(absl::StrCat(JsonObject().Raw("error", JsonError(status)).Done(), "\n"));
  } else {
    context.err.Write(absl::StrCat(
        context.err_colour ? "\x1b[31msightline:\x1b[0m " : "sightline: ", Printable(status.message()), "\n"));
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
  std::error_code error;
  const auto status = std::filesystem::status(path, error);
  if (std::filesystem::is_directory(status)) {
    return base::FailedPrecondition("FILE_ERROR",
                                    absl::StrCat(Printable(path), " is a folder. Name a file, in it or elsewhere."),
                                    {{"path", Printable(path)}});
  }
  if (!std::filesystem::exists(status) || std::filesystem::is_regular_file(status)) {
    const auto target = std::filesystem::canonical(path, error);
    return base::WriteFileDurably(error ? path : target.string(), bytes);
  }
  return WriteInto(path, bytes);
}

}  // namespace sightline::cli

#include "base/log.h"

#include "base/error.h"

#include <spdlog/sinks/stdout_color_sinks.h>

namespace lamina {

void start_logging(const std::string& process, const std::string& level) {
  const auto parsed = spdlog::level::from_str(level);
  if (parsed == spdlog::level::off && level != "off") {
    fail(ErrorCode::invalid_argument, "log level is '{}', expected debug, info, warn, error or off", level);
  }
  auto logger =
      std::make_shared<spdlog::logger>(process, std::make_shared<spdlog::sinks::stderr_color_sink_mt>());
  logger->set_pattern("%Y-%m-%dT%H:%M:%S.%e %^%l%$ [%n] %v");
  logger->set_level(parsed);
  spdlog::set_default_logger(std::move(logger));
}

}  // namespace lamina

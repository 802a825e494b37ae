package io.confluent.rest.exceptions;

/** As in rest-utils. */
public class RestNotFoundException extends RestException {
  public static final int DEFAULT_ERROR_CODE = 404;

  public RestNotFoundException(String message, int errorCode) {
    super(message, 404, errorCode);
  }

  public RestNotFoundException(String message, int errorCode, Throwable cause) {
    super(message, 404, errorCode, cause);
  }
}

package io.confluent.rest.exceptions;

/** As in rest-utils. */
public class RestConstraintViolationException extends RestException {
  public static final int DEFAULT_ERROR_CODE = 422;

  public RestConstraintViolationException(String message, int errorCode) {
    super(message, 422, errorCode);
  }

  public RestConstraintViolationException(String message, int errorCode, Throwable cause) {
    super(message, 422, errorCode, cause);
  }
}
